"""How requests are signed: with a key that lasts, or with a session whose short token is renewed in time."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retinue.client.asking import Answer, Plan, Request, place
from retinue.client.errors import Unreachable, problem_in


@dataclass(slots=True)
class Credential:
    """Who asks. Of `token` alone there is nothing to renew: an API key, or nobody.

    `when_changed` is told each new pair, so that a program may keep it: a refresh token works only once.
    """

    token: str | None = None
    refresh_token: str | None = None
    email: str | None = None
    password: str | None = None
    when_changed: Callable[[str, str], object] | None = None
    renewals: int = 0

    def sign(self, request: Request) -> Request:
        if not request.is_signed or self.token is None:
            return request
        return request.with_headers(Authorization=f"Bearer {self.token}")

    def can_renew(self) -> bool:
        return self.refresh_token is not None or self.password is not None

    def renew(self, *, since: int) -> Plan[None]:
        """Another token than before; somebody else may have fetched it while we waited for our turn."""
        if self.renewals != since:
            return
        if self.refresh_token is not None:
            try:
                answer = yield self._refresh(self.refresh_token)
            except BaseException as cut:
                # The server may have spent it, and a second use would end the session.
                if not isinstance(cut, Unreachable) or cut.was_sent:
                    self.refresh_token = None
                raise
            if problem_in(answer) is None:
                self.take(answer)
                return
            self.refresh_token = None
        if self.password is not None:
            answer = yield log_in(self.email or "", self.password)
            if (refusal := problem_in(answer)) is not None:
                raise refusal
            self.take(answer)

    def take(self, answer: Answer) -> None:
        told: dict[str, Any] = json.loads(answer.body)
        self.hold(told["access_token"], told["refresh_token"])

    def hold(self, token: str, refresh_token: str) -> None:
        self.token, self.refresh_token = token, refresh_token
        self.renewals += 1
        if self.when_changed is not None:
            self.when_changed(token, refresh_token)

    def forget(self) -> None:
        self.token = self.refresh_token = self.email = self.password = None

    def _refresh(self, token: str) -> Request:
        return Request("POST", place("/sessions/refresh"), json={"refresh_token": token}, is_signed=False)


def log_in(email: str, password: str) -> Request:
    return Request("POST", place("/sessions"), json={"email": email, "password": password}, is_signed=False)
