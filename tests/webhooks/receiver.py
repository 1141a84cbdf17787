"""Somebody's server on this machine that takes messages, remembers them, and answers as it was told to."""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

OK = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"


def answer(status: int, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    return f"HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n{lines}\r\n".encode()


@dataclass
class Message:
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = orjson.loads(self.body)
        return told


@dataclass
class Receiver:
    """`answers` are given in turn, then 204. `hold` makes it wait before it answers."""

    port: int
    messages: list[Message] = field(default_factory=list)
    answers: deque[bytes] = field(default_factory=deque)
    hold: asyncio.Event | None = None
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)
    _guests: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def until(self, is_so: Callable[[], bool], *, patience_s: float = 120) -> None:
        async with asyncio.timeout(patience_s), self._came:
            await self._came.wait_for(is_so)

    def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._guests.add(asyncio.create_task(self._serve(reader, writer)))

    async def see_off(self) -> None:
        """Nobody's connection outlives the test: the collector would blame another one for it."""
        for guest in self._guests:
            guest.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._take(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        async with self._came:
            self.messages.append(Message(headers, body))
            self._came.notify_all()
        if self.hold is not None:
            await self.hold.wait()
        writer.write(self.answers.popleft() if self.answers else OK)
        await writer.drain()


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    taken = _free_socket()
    receiver = Receiver(taken.getsockname()[1])
    server = await asyncio.start_server(receiver.welcome, sock=taken)
    try:
        yield receiver
    finally:
        server.close()
        await receiver.see_off()


def free_port_for_webhooks() -> int:
    with _free_socket() as taken:
        return int(taken.getsockname()[1])


def _free_socket() -> socket.socket:
    """On a port that webhooks may reach."""
    for port in range(8000 + os.getpid() % 1500, 10_000):
        taken = socket.socket(socket.AF_INET)
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            taken.close()
        else:
            return taken
    raise AssertionError("no port between 8000 and 9999 is free")
