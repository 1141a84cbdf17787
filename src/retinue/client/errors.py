"""What can go wrong, as a tree: problem documents by their code, else by their status; and a line that breaks.

except NotEnoughCredits as short: ...   one case            short.needed, short.available
except Conflict: ...                    a branch            every 409
except Problem as refusal: ...          any refusal         refusal.code, .detail, .request_id
except RetinueError: ...                anything from here
"""

import json
from collections.abc import Mapping
from typing import Any

from retinue.client.asking import Answer


class RetinueError(Exception):
    """Everything that this client raises by itself."""

    @property
    def title(self) -> str:
        return "The request did not succeed"

    @property
    def detail(self) -> str:
        return str(self)


class Unreachable(RetinueError):
    """No answer came. `was_sent`: whether the server may have begun."""

    def __init__(self, words: str, *, was_sent: bool) -> None:
        super().__init__(words)
        self.was_sent = was_sent

    @property
    def title(self) -> str:
        return "The server cannot be reached"


class NotYet(RetinueError):
    """The patience was over before the job was; it goes on."""

    @property
    def title(self) -> str:
        return "Not finished yet"


class NoServer(RetinueError):
    """Nobody said which server is meant, or who asks."""

    @property
    def title(self) -> str:
        return "Which server?"


class Problem(RetinueError):
    """The server refused, and says why. `facts` holds what else the document says."""

    def __init__(self, status: int, facts: Mapping[str, Any], *, retry_after_s: float | None = None) -> None:
        self.status = status
        self.facts = dict(facts)
        self.code = str(facts.get("code", "unknown"))
        self.request_id = str(facts.get("instance", "")).rpartition(":")[2]
        self.retry_after_s = retry_after_s
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        return str(self.facts.get("title") or f"The server answered {self.status}")

    @property
    def detail(self) -> str:
        return str(self.facts.get("detail") or self.title)


class Malformed(Problem):
    """400"""


class NotSignedIn(Problem):
    """401"""


class PaymentNeeded(Problem):
    """402"""


class NotEnoughCredits(PaymentNeeded):
    """Nothing was done, nothing was charged."""

    @property
    def needed(self) -> float:
        return float(self.facts["needed"])

    @property
    def available(self) -> float:
        return float(self.facts["available"])


class Forbidden(Problem):
    """403"""


class NotFound(Problem):
    """404: not there, or not yours."""


class TooSlow(Problem):
    """408"""


class Conflict(Problem):
    """409"""


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is not finished."""


class WrongOffset(Conflict):
    """The upload goes on at `offset`."""

    @property
    def offset(self) -> int:
        return int(self.facts["offset"])


class JobIsOver(Conflict):
    """Nothing of it can be stopped any more."""


class NameTaken(Conflict):
    """A dataset, a model or an account of this name is there already."""


class Gone(Problem):
    """410"""


class TooLarge(Problem):
    """413"""


class WrongKind(Problem):
    """415"""


class BadRange(Problem):
    """416"""


class Invalid(Problem):
    """422: readable, but it cannot be. `errors` names the fields."""

    @property
    def errors(self) -> list[dict[str, str]]:
        return list(self.facts.get("errors", ()))


class TooMany(Problem):
    """429: come back after `retry_after_s`."""


class ServerFailed(Problem):
    """5xx"""


class Unavailable(ServerFailed):
    """503: come back after `retry_after_s`."""


class StorageFull(ServerFailed):
    """507"""


BRANCHES: dict[int, type[Problem]] = {
    400: Malformed,
    401: NotSignedIn,
    402: PaymentNeeded,
    403: Forbidden,
    404: NotFound,
    408: TooSlow,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    415: WrongKind,
    416: BadRange,
    422: Invalid,
    429: TooMany,
    500: ServerFailed,
    503: Unavailable,
    507: StorageFull,
}
LEAVES: dict[str, type[Problem]] = {
    "not-enough-credits": NotEnoughCredits,
    "still-running": StillRunning,
    "wrong-offset": WrongOffset,
    "inference-is-over": JobIsOver,
    "dataset-name-taken": NameTaken,
    "model-name-taken": NameTaken,
    "email-taken": NameTaken,
}


def problem_in(answer: Answer) -> Problem | None:
    """None where the answer is a success."""
    if answer.status < 400:
        return None
    facts = _document(answer)
    kind = LEAVES.get(str(facts.get("code"))) or BRANCHES.get(answer.status)
    if kind is None:
        kind = ServerFailed if answer.status >= 500 else Problem
    return kind(answer.status, facts, retry_after_s=_seconds(answer.headers.get("retry-after")))


def _document(answer: Answer) -> dict[str, Any]:
    """Whoever stands between us and the server (a proxy, a load balancer) does not speak in problem documents."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(told: str | None) -> float | None:
    return float(told) if told is not None and told.isdecimal() else None
