"""How a resource is written once and called in both ways: methods are plans, and the sender decides who waits.

class Models(Room[S]):
    @operation
    def get(self, name: str) -> Plan[Model]:              client.models.get("x")    await client.models.get("x")
        return (yield from self._ask(Request("GET", place("/models/{}", name)), Model))

    @listing
    def list(self) -> Pages[Model]:                       for model in …            async for model in …
        return self._pages(place("/models"), Model)
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from pydantic import BaseModel, ConfigDict, TypeAdapter

from retinue.client.asking import Alone, Answer, Paged, Pages, Pause, Plan, Request
from retinue.client.errors import NotSignedIn, RetinueError, problem_in
from retinue.client.sending import Later, Now
from retinue.client.trying import Again, Tries, next_try

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=Now | Later)
PAGE = 200


class Told(BaseModel):
    """What a server tells. Fields that a newer server adds are kept, not refused."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Room(Generic[S]):
    """Some operations over one sender."""

    def __init__(self, sender: S) -> None:
        self._sender: S = sender

    def _ask(self, request: Request, shape: type[T]) -> Plan[T]:
        answer = yield from self._settle(request)
        return TypeAdapter(shape).validate_json(answer.body)

    def _pages(self, path: str, shape: type[T], *, among: str = "items", **query: Any) -> Pages[T]:
        wanted = {name: value for name, value in query.items() if value is not None}

        def page(cursor: str | None) -> Plan[Paged[T]]:
            asked = {"limit": PAGE, **wanted, **({} if cursor is None else {"cursor": cursor})}
            told = yield from self._ask(Request("GET", path, query=asked, may_repeat=True), dict[str, Any])
            return TypeAdapter(list[shape]).validate_python(told[among]), told["next_cursor"]  # type: ignore[valid-type]

        return page

    def _settle(self, request: Request, tries: Tries | None = None) -> Plan[Answer]:
        """Send until there is an answer worth having; a token that has run out is renewed once."""
        credential, tries = self._sender.credential, tries or self._sender.tries
        request = replace(request, may_repeat=request.may_repeat or request.method in {"GET", "HEAD"})
        tried, has_renewed = 0, False
        while True:
            tried += 1
            if request.is_signed and credential.token is None and credential.can_renew():
                yield Alone(credential.renew(since=credential.renewals))
            renewals = credential.renewals
            try:
                answer = yield credential.sign(request)
                problem = problem_in(answer)
            except RetinueError as failure:
                problem = failure  # type: ignore[assignment]
            if problem is None:
                return answer  # type: ignore[no-any-return]
            if isinstance(problem, NotSignedIn) and request.is_signed and credential.can_renew() and not has_renewed:
                yield Alone(credential.renew(since=renewals))
                has_renewed = True
                continue
            match next_try(request, problem, tried=tried, tries=tries):
                case Again(after_s):
                    yield Pause(after_s)
                case _:
                    raise problem


def once(request: Request, key: str | None = None) -> Request:
    """Under an Idempotency-Key the server does it once, so it may be sent as often as the line needs."""
    return replace(request.with_headers(Idempotency_Key=key or str(uuid.uuid4())), may_repeat=True)


class operation(Generic[P, T]):  # noqa: N801 a decorator
    """A method that is a plan; called through a room it is run by the room's sender."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self.plan = plan
        self.__doc__ = plan.__doc__

    @overload
    def __get__(self, room: None, owner: Any = None) -> "operation[P, T]": ...
    @overload
    def __get__(self, room: Room[Now], owner: Any = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, room: Room[Later], owner: Any = None) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, room: Any, owner: Any = None) -> Any:
        if room is None:
            return self

        @wraps(self.plan)
        def ask(*told: P.args, **more: P.kwargs) -> Any:
            return room._sender.run(self.plan(room, *told, **more))

        return ask


class listing(Generic[P, T]):  # noqa: N801 a decorator
    """A method that names pages; called through a room it walks over their items, page after page."""

    def __init__(self, pages: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self.pages = pages
        self.__doc__ = pages.__doc__

    @overload
    def __get__(self, room: None, owner: Any = None) -> "listing[P, T]": ...
    @overload
    def __get__(self, room: Room[Now], owner: Any = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, room: Room[Later], owner: Any = None) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, room: Any, owner: Any = None) -> Any:
        if room is None:
            return self

        @wraps(self.pages)
        def walk(*told: P.args, **more: P.kwargs) -> Any:
            return room._sender.each(self.pages(room, *told, **more))

        return walk
