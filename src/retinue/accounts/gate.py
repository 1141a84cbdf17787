"""Who is let in, decided from the headers alone, before a body is received: 401 first, then 429, then 403.

What an operation asks of its caller is read from its own signature (`access.py`). An operation that asks nothing is
refused all the same, unless it stands in `OPEN`.
"""

import math
import random
import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Address, ip_address

import structlog
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute, RateLimitItemPerSecond
from starlette.datastructures import MutableHeaders
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinue.accounts import browsers, same_origin
from retinue.accounts.access import Identity, Permission, permissions_in
from retinue.accounts.rates import Rates, Standing
from retinue.accounts.recognising import Recognition
from retinue.base.errors import NotSignedIn, RetinueError, TooMany
from retinue.base.settings import Settings

OPEN: frozenset[tuple[str, str]] = frozenset(
    {
        ("POST", "/api/v1/users"),
        ("POST", "/api/v1/sessions"),
        ("POST", "/api/v1/sessions/refresh"),
        ("POST", "/api/v1/token"),
        ("POST", "/api/v1/setup"),
        ("GET", "/api/v1/info"),
        ("GET", "/api/v1/media/{token}"),
        ("HEAD", "/api/v1/media/{token}"),
        ("GET", "/v2/health/live"),
        ("GET", "/v2/health/ready"),
    }
)
REGISTRATION = ("registration", RateLimitItemPerHour(10))
LOG_IN = ("log-in", RateLimitItemPerHour(100))
SETUP = ("setup", RateLimitItemPerHour(20))
BY_ADDRESS: dict[tuple[str, str], tuple[str, RateLimitItem]] = {
    ("POST", "/api/v1/users"): REGISTRATION,
    ("POST", "/api/v1/sessions"): LOG_IN,
    ("POST", "/api/v1/token"): LOG_IN,
    ("POST", "/api/v1/setup"): SETUP,
}
GUARDED = ("/api/v1/", "/v2/")

Refuse = Callable[[RetinueError, Scope], ASGIApp]


def asks_who(method: str, path: str) -> bool:
    """Whether this operation is only for people we know."""
    return path.startswith(GUARDED) and (method, path) not in OPEN


class TooManyAtOnce(TooMany):
    code = "too-many-at-once"
    title = "You have as many requests under way as anybody may"


class Gate:
    """A layer of the application: `refuse` turns an error into the answer that the rest of the house would give."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        routers: Sequence[APIRouter],
        recognition: Recognition,
        rates: Rates,
        settings: Settings,
        refuse: Refuse,
    ) -> None:
        self.app = app
        self._recognition = recognition
        self._rates = rates
        self._refuse = refuse
        self._per_minute = RateLimitItemPerMinute(settings.rate_limit)
        self._per_second = RateLimitItemPerSecond(settings.rate_burst)
        self._at_once = settings.concurrent_requests
        self._public_url = settings.public_url
        self._policy = f'"minute";q={settings.rate_limit};w=60, "burst";q={settings.rate_burst};w=1'
        self._under_way: dict[str, int] = {}
        self._asked = _Asked(routers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_guarded(scope["path"]):
            await self.app(scope, receive, send)
            return
        address = address_of(scope)
        try:
            permissions = self._asked.by(scope["method"], scope["path"])
            if permissions is None:
                await self._limit_address(scope, address)
                await self.app(scope, receive, send)
                return
            identity = await self._recognise(scope, address)
            if scope["method"] not in same_origin.READING and any(one.role == "admin" for one in permissions):
                self._recognition.check_proof(identity)
        except RetinueError as refusal:
            await self._refuse(refusal, scope)(scope, receive, send)
            return
        scope["identity"], scope["user_id"] = identity, identity.user_id
        with structlog.contextvars.bound_contextvars(user_id=identity.user_id):
            await self._serve(scope, receive, send, identity, permissions)

    async def _recognise(self, scope: Scope, address: str) -> Identity:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given and (cookie := browsers.cookie_in(scope)) is not None:
            same_origin.check_script(scope, public_url=self._public_url)
            return await self._recognition.recognise_browser(cookie)
        if len(given) != 1:
            raise NotSignedIn("Send one Authorization: Bearer with an access token or an API key")
        return await self._recognition.recognise(given[0], address)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, identity: Identity, permissions: Iterable[Permission]
    ) -> None:
        user_id = identity.user_id
        minute = await self._rates.take(self._per_minute, "user", user_id)
        refusal = self._too_many(user_id, minute, bursts=await self._rates.bursts(self._per_second, "user", user_id))
        if refusal is None:
            refusal = next(filter(None, (permission.refusal(identity) for permission in permissions)), None)
        send = self._telling(send, minute)
        if refusal is not None:
            await self._refuse(refusal, scope)(scope, receive, send)
            return
        self._under_way[user_id] = self._under_way.get(user_id, 0) + 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way[user_id] -= 1
            if not self._under_way[user_id]:
                del self._under_way[user_id]

    def _too_many(self, user_id: str, minute: Standing, *, bursts: bool) -> RetinueError | None:
        if not minute.is_within:
            return TooMany(f"{self._per_minute} are the most", retry_after_s=_later(minute))
        if bursts:
            return TooMany(f"{self._per_second} are the most", retry_after_s=1.0)
        if self._under_way.get(user_id, 0) >= self._at_once:
            return TooManyAtOnce(f"{self._at_once} at once are the most; wait for one to end", retry_after_s=1.0)
        return None

    async def _limit_address(self, scope: Scope, address: str) -> None:
        if (rule := BY_ADDRESS.get((scope["method"], scope["path"]))) is not None:
            await limit_address(self._rates, rule, address)

    def _telling(self, send: Send, minute: Standing) -> Send:
        told = f'"minute";r={minute.left};t={round(minute.anew_in_s)}'

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                headers["RateLimit-Policy"] = self._policy
                headers["RateLimit"] = told
                message["headers"] = headers.raw
            await send(message)

        return tell


async def limit_address(rates: Rates, rule: tuple[str, RateLimitItem], address: str) -> None:
    """Counts a try of this kind from there; pages and API count together."""
    name, limit = rule
    standing = await rates.take(limit, name, network_of(address))
    if not standing.is_within:
        raise TooMany("Too many tries from your address", retry_after_s=_later(standing))


class _Asked:
    """What every operation asks for, found by method and path in a few microseconds."""

    def __init__(self, routers: Sequence[APIRouter]) -> None:
        self._by_place: dict[tuple[str, str], list[tuple[re.Pattern[str], list[Permission] | None]]] = {}
        # Not the application's own list: looking through that one makes FastAPI build every route a second time, 0.1 s.
        for route in iter_route_contexts([route for router in routers for route in router.routes]):
            path = route.path or ""
            if not _is_guarded(path) or not hasattr(route, "dependant"):
                continue
            asked = permissions_in(route.dependant)
            for method in route.methods or ():
                permissions = None if (method, path) in OPEN else list(asked) or [_NOBODY]
                self._by_place.setdefault((method, _place(path)), []).append((compile_path(path)[0], permissions))

    def by(self, method: str, path: str) -> list[Permission] | None:
        """None where the operation is open, or where there is none: the router says 404 or 405 without looking at who
        asks, and a route that was overlooked here still asks by itself."""
        for pattern, permissions in self._by_place.get((method, _place(path)), ()):
            if pattern.match(path):
                return permissions
        return None


class _Nobody(Permission):
    """Stands in for what an operation forgot to say."""

    def refusal(self, identity: Identity) -> RetinueError | None:
        return NotSignedIn("This operation does not say whom it serves")


_NOBODY = _Nobody()


def _is_guarded(path: str) -> bool:
    return f"{path}/".startswith(GUARDED)


def _place(path: str) -> str:
    """`/api/v1/users/{id}` → `users`, `/v2/models/…` → `models`: a noun narrows the search to a handful of patterns."""
    steps = f"{path}/".split("/", 4)
    return steps[3 if path.startswith("/api") else 2]


def _later(standing: Standing) -> float:
    """Not before the window begins anew, and not everybody at the same moment."""
    return math.ceil(standing.anew_in_s) * random.uniform(1, 1.2)  # noqa: S311 jitter, not a secret


def address_of(scope: Scope) -> str:
    """The caller's, or the one a trusted proxy told."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def network_of(address: str) -> str:
    """An IPv6 customer owns a /64: counting single addresses would count nothing."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
    return address
