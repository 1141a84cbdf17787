"""The two ways to run a plan: now, blocking, or later, awaited. Nothing else in this package has a colour."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx2

import retinue
from retinue.client.asking import Alone, Answer, Pages, Pause, Plan, Request, Work
from retinue.client.errors import Unreachable
from retinue.client.signing import Credential
from retinue.client.trying import Tries

T = TypeVar("T")
CONNECT_S = 10.0
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
AGENT = {"User-Agent": f"retinue-python/{retinue.__version__}"}


class Now:
    """Runs plans where it is called. May be shared by threads."""

    def __init__(self, server: str, credential: Credential, tries: Tries, transport: Any = None) -> None:
        self.credential = credential
        self.tries = tries
        self.http = httpx2.Client(base_url=server, headers=AGENT, transport=transport)
        self._turn = threading.Lock()

    def run(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                try:
                    told = self._do(step)
                except Exception as failure:  # noqa: BLE001 the plan decides what it means
                    step = plan.throw(failure)
                else:
                    step = plan.send(told)
        except StopIteration as done:
            result: T = done.value
            return result

    def each(self, pages: Pages[T]) -> Iterator[T]:
        items, cursor = self.run(pages(None))
        yield from items
        while cursor is not None:
            items, cursor = self.run(pages(cursor))
            yield from items

    def _do(self, step: Any) -> Any:
        match step:
            case Request():
                with _translated():
                    return self._send(step)
            case Pause(seconds):
                time.sleep(seconds)
                return None
            case Work(do):
                return do()
            case Alone(plan):
                with self._turn:
                    return self.run(plan)

    def _send(self, request: Request) -> Answer:
        response = self.http.send(_built(self.http, request), stream=True)
        try:
            if response.is_success and request.heard is not None:
                for event in httpx2.EventSource(response):
                    request.heard(event)
            elif response.is_success and request.saved is not None:
                take = request.saved()
                for piece in response.iter_bytes():
                    take(piece)
            else:
                return Answer(response.status_code, response.headers, response.read())
            return Answer(response.status_code, response.headers, b"")
        finally:
            response.close()


class Later:
    """Runs plans on the event loop. Belongs to one loop."""

    def __init__(self, server: str, credential: Credential, tries: Tries, transport: Any = None) -> None:
        self.credential = credential
        self.tries = tries
        self.http = httpx2.AsyncClient(base_url=server, headers=AGENT, transport=transport)
        self._turn = asyncio.Lock()

    async def run(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                try:
                    told = await self._do(step)
                except Exception as failure:  # noqa: BLE001 the plan decides what it means
                    step = plan.throw(failure)
                else:
                    step = plan.send(told)
        except StopIteration as done:
            result: T = done.value
            return result

    async def each(self, pages: Pages[T]) -> AsyncIterator[T]:
        items, cursor = await self.run(pages(None))
        for item in items:
            yield item
        while cursor is not None:
            items, cursor = await self.run(pages(cursor))
            for item in items:
                yield item

    async def _do(self, step: Any) -> Any:
        match step:
            case Request():
                with _translated():
                    return await self._send(step)
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None
            case Work(do):
                return await asyncio.to_thread(do)
            case Alone(plan):
                async with self._turn:
                    return await self.run(plan)

    async def _send(self, request: Request) -> Answer:
        response = await self.http.send(_built(self.http, request), stream=True)
        try:
            if response.is_success and request.heard is not None:
                async for event in httpx2.EventSource(response):
                    request.heard(event)
            elif response.is_success and request.saved is not None:
                take = request.saved()
                async for piece in response.aiter_bytes():
                    take(piece)
            else:
                return Answer(response.status_code, response.headers, await response.aread())
            return Answer(response.status_code, response.headers, b"")
        finally:
            await response.aclose()


def _built(http: httpx2.Client | httpx2.AsyncClient, request: Request) -> httpx2.Request:
    return http.build_request(
        request.method,
        request.path,
        params=dict(request.query) or None,
        json=request.json,
        data=dict(request.form) if request.form is not None else None,
        files=list(request.files) or None,
        content=request.body,
        headers=dict(request.headers),
        timeout=httpx2.Timeout(request.timeout_s, connect=min(CONNECT_S, request.timeout_s)),
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as broken:
        words = str(broken) or type(broken).__name__
        raise Unreachable(words, was_sent=not isinstance(broken, NEVER_SENT)) from broken
    except httpx2.InvalidURL as wrong:
        raise Unreachable(str(wrong), was_sent=False) from wrong
