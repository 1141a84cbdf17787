"""Heads of requests that are slow or large, sent byte by byte to a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from retinue.web.heads import MOST_BYTES, PatientProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n"


class Hasty(PatientProtocol):
    patience_s = 0.2


class LessHasty(PatientProtocol):
    """Long enough for a whole request to come in first, on a crowded machine too."""

    patience_s = 2.0


@asynccontextmanager
async def connected(
    protocol: type[PatientProtocol],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(PlainTextResponse("hello"), http=protocol, lifespan="off", log_config=None)
    config.load()
    server = await asyncio.get_running_loop().create_server(lambda: protocol(config, ServerState(), {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        try:
            yield reader, writer
        finally:
            writer.close()


async def whole(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """All that comes until the other side closes."""
    async with asyncio.timeout(60):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    return head, body


async def test_a_request_is_answered_and_the_next_one_too() -> None:
    async with connected(PatientProtocol) as (reader, writer):
        for _ in range(2):
            writer.write(REQUEST + b"\r\n")
            async with asyncio.timeout(60):
                await reader.readuntil(b"hello")


async def test_a_head_that_does_not_end_is_refused_in_time() -> None:
    async with connected(Hasty) as (reader, writer):
        writer.write(REQUEST)
        head, body = await whole(reader)
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["code"] == "request-timeout"


async def test_so_is_the_head_of_a_second_request() -> None:
    async with connected(LessHasty) as (reader, writer):
        writer.write(REQUEST + b"\r\n" + REQUEST)
        head, body = await whole(reader)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in body


async def test_who_never_asks_is_not_waited_for() -> None:
    async with connected(Hasty) as (reader, _):
        assert await whole(reader) == (b"", b"")


async def is_refused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pieces: Iterable[bytes]) -> bool:
    """By an answer, or by a reset where bytes were still under way."""
    try:
        async with asyncio.timeout(60):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        head, _ = await whole(reader)
    except ConnectionError:
        return True
    return head.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize(
    ("begin", "endless"),
    [(b"GET /", b"a"), (REQUEST + b"X-Long: ", b"a"), (REQUEST, b"X: yy\r\n")],
    ids=["its path", "one header", "many headers"],
)
async def test_a_head_without_end_is_refused_before_it_fills_the_memory(begin: bytes, endless: bytes) -> None:
    async with connected(PatientProtocol) as (reader, writer):
        assert await is_refused(reader, writer, [begin, *[endless * MOST_BYTES] * 64])


async def test_a_head_of_seventy_kilobytes_is_refused_also_in_one_piece() -> None:
    async with connected(PatientProtocol) as (reader, writer):
        assert await is_refused(reader, writer, [REQUEST + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n"])
