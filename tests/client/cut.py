"""A line that breaks when the test says so: before a request leaves, or after the server did its work."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2

from tests.client.judge import Judge, Judged

Break = tuple[str, int, str]  # the operation's method, its how-manyeth request, and when: before, midway or after
MOST_TALK_S = 120.0


class Broken(httpx2.SyncByteStream):
    """A body whose line is cut after its first piece."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def __iter__(self) -> Iterator[bytes]:
        yield next(iter(self.whole))
        raise httpx2.ReadError("cut midway")

    def close(self) -> None:
        self.whole.close()


class Talkative(Broken):
    """A body that says its first piece again and again."""

    def __iter__(self) -> Iterator[bytes]:
        piece, ends = next(iter(self.whole)), time.monotonic() + MOST_TALK_S
        while time.monotonic() < ends:
            yield piece
        raise AssertionError("nobody stopped listening")


class Cut(Judged):
    """`breaks`: ("POST", 1, "after") loses the answer to the first POST.

    Beside the breaks there are "turned away", which is a 429, and "talkative", a stream that never ends.
    """

    def __init__(self, judge: Judge, breaks: Sequence[Break]) -> None:
        super().__init__(judge)
        self.breaks = set(breaks)
        self.sent: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        number = sum(one.method == request.method for one in self.sent)
        if (request.method, number, "before") in self.breaks:
            raise httpx2.ConnectError("cut before it left")
        if (request.method, number, "turned away") in self.breaks:
            return httpx2.Response(429, headers={"Retry-After": "1"}, json={"status": 429, "code": "too-many"})
        response = super().handle_request(request)
        if (request.method, number, "talkative") in self.breaks:
            response.stream = Talkative(response.stream)
        if (request.method, number, "midway") in self.breaks:
            response.stream = Broken(response.stream)
        if (request.method, number, "after") in self.breaks:
            response.close()
            raise httpx2.ReadError("cut before the answer came")
        return response
