"""How large the head of a request may be, and how slowly it may come: uvicorn itself waits and reads without end."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from retinue.web.problems import plain_problem

MOST_BYTES = 64 * 1024  # cookies, a token and a proxy's additions are a tenth of it
PATIENCE_S = 15.0


class HeadTooLarge(Exception):
    """Raised inside the parser, which answers 400."""


class PatientProtocol(HttpToolsProtocol):
    """Refuses heads that are too slow (408) or too large (431), and closes connections that never ask anything."""

    patience_s = PATIENCE_S
    _waiting: asyncio.TimerHandle | None = None
    _began = False
    _bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._bytes += len(data)
        super().data_received(data)
        if self._waiting is not None and self._bytes > MOST_BYTES and not self.transport.is_closing():
            self._refuse(431, "The head of the request is larger than this server reads")

    def on_message_begin(self) -> None:
        self._began, self._bytes = True, 0
        if self._waiting is None:
            self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_BYTES:
            raise HeadTooLarge()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.patience_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        if self._began:
            self._refuse(408, "The head of the request took too long to arrive")
        else:
            self.transport.close()

    def _refuse(self, status: int, words: str) -> None:
        self._stop_waiting()
        told = plain_problem(status, words, {})
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), b"connection: close"]
        lines += [name + b": " + value for name, value in told.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(told.body)]))
        self.transport.close()
