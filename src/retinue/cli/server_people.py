"""People, on a server: what an admin may, with a key that was made for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retinue.cli.reaching import At


@dataclass(frozen=True, slots=True)
class There:
    at: At

    def add(
        self, email: str, ask: Callable[[], str], *, role: str, name: str, surname: str, employee_number: str | None
    ) -> str:
        password = ask()
        with self.at.client() as client:
            told = client.admin.users.add(
                email=email, password=password, name=name, surname=surname, employee_number=employee_number, role=role
            )
        return told.id

    def found(self, role: str | None) -> list[dict[str, Any]]:
        """The earliest first, as in the database."""
        with self.at.client() as client:
            return [one.model_dump(mode="json") for one in client.admin.users.list(role=role)][::-1]

    def set_role(self, email: str, role: str) -> None:
        self._change(email, role=role)

    def set_active(self, email: str, active: bool) -> None:
        self._change(email, active=active)

    def set_password(self, email: str, ask: Callable[[], str]) -> None:
        with self.at.client() as client:
            user_id = client.admin.users.credits(email).user_id
            client.admin.users.set_password(user_id, ask())

    def _change(self, email: str, **wanted: Any) -> None:
        with self.at.client() as client:
            client.admin.users.change(client.admin.users.credits(email).user_id, **wanted)
