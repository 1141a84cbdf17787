"""Who may ask: the identity behind a request, and the types with which a route's signature says whom it serves.

    async def profile(caller: Caller) -> ...                                 anybody signed in
    async def predict(caller: Annotated[Identity, may("predict")]) -> ...    a session, or a key that reaches this far
    async def verify(admin: Admin) -> ...

The same declarations are read by `gate.py`, which refuses before a body is received.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from retinue.accounts.tables import Role
from retinue.base.errors import Forbidden, NotSignedIn, RetinueError

SCOPES: tuple[str, ...] = (
    "predict",
    "predictions:read",
    "datasets:read",
    "datasets:write",
    "jobs:read",
    "jobs:write",
    "toolkits:read",
    "toolkits:write",
    "feedback:write",
    "webhooks:write",
    "credits:read",
    "admin",
)
# How the OpenAPI document tells of it; FastAPI's own classes would run on every request to say the same.
SECURITY_SCHEMES: dict[str, Any] = {
    "Password": {"type": "oauth2", "flows": {"password": {"scopes": {}, "tokenUrl": "/api/v1/token"}}},
    "Token or API key": {"type": "http", "scheme": "bearer"},
}
_RANK: dict[Role, int] = {"user": 0, "operator": 1, "admin": 2}


class KeyTooNarrow(Forbidden):
    code = "key-too-narrow"
    title = "This key was not made for that"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and through which key or session. Rights are those of the present role, never of an older one."""

    user_id: str
    email: str
    role: Role
    key_id: str | None = None
    session_id: str | None = None
    scopes: frozenset[str] | None = None
    proved_at: datetime | None = None  # of a browser: when its person last gave the password

    @property
    def is_admin(self) -> bool:
        """A key is an admin's only when it was made for that: one without scopes has everything but this."""
        return self.role == "admin" and (self.key_id is None or "admin" in (self.scopes or ()))

    @property
    def is_operator(self) -> bool:
        return _RANK[self.role] >= _RANK["operator"]

    @property
    def is_whole(self) -> bool:
        """A session, or a key without scopes: only these touch the account itself."""
        return self.scopes is None

    def can(self, scope: str) -> bool:
        if scope == "admin":
            return self.is_admin
        return self.scopes is None or scope in self.scopes


@dataclass(frozen=True)
class Permission:
    """What a route asks of its caller. As a dependency it hands the caller over, or refuses."""

    scope: str | None = None
    role: Role = "user"
    whole: bool = False

    def refusal(self, identity: Identity) -> RetinueError | None:
        if self.role == "admin" and not identity.is_admin:
            if identity.role == "admin":
                return KeyTooNarrow("This needs a key with the scope admin")
            return Forbidden("This is for admins")
        if _RANK[identity.role] < _RANK[self.role]:
            return Forbidden("This is for operators and admins")
        if self.scope is not None and not identity.can(self.scope):
            return KeyTooNarrow(f"This needs a key with the scope {self.scope}")
        if self.whole and not identity.is_whole:
            return KeyTooNarrow("The account itself is changed by its owner signed in, or with a key without scopes")
        return None

    async def __call__(self, connection: HTTPConnection) -> Identity:
        identity: Identity | None = connection.scope.get("identity")
        if identity is None:
            raise NotSignedIn("Send Authorization: Bearer with an access token or an API key")
        if (refusal := self.refusal(identity)) is not None:
            raise refusal
        return identity


def may(scope: str, *, role: Role = "user") -> Any:
    """Any session, and keys that have this scope or none at all."""
    if scope not in SCOPES:
        raise ValueError(f"{scope} is not a scope; there are: {', '.join(SCOPES)}")
    return Depends(Permission(scope=scope, role=role))


Caller = Annotated[Identity, Depends(Permission())]
Holder = Annotated[Identity, Depends(Permission(whole=True))]
Operator = Annotated[Identity, Depends(Permission(role="operator", whole=True))]
Admin = Annotated[Identity, Depends(Permission(role="admin"))]


def permissions_in(dependant: Any) -> Sequence[Permission]:
    """Every permission a route asks for, wherever in its dependencies it stands."""
    found = [dependant.call] if isinstance(dependant.call, Permission) else []
    return [*found, *(one for part in dependant.dependencies for one in permissions_in(part))]
