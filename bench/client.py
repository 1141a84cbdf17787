"""A client that costs next to nothing: bytes prepared once, connections kept, every answer checked."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

PREDICTION = b'"prediction_id":"'


@dataclass
class Tally:
    """What came back, how long each answer took and when it was there."""

    clients: int
    seconds: float
    took_s: list[float] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """While all clients were asking: neither while the first answers were on their way nor while the last ones
        were, when there is less to do than there are lanes."""
        began = self.at_s[min(self.clients, len(self.at_s)) - 1]
        inside = sum(began < at <= self.seconds for at in self.at_s)
        return inside / (self.seconds - began) if inside else len(self.at_s) / self.at_s[-1]

    def percentile(self, share: float) -> float:
        return sorted(self.took_s)[min(len(self.took_s) - 1, int(len(self.took_s) * share))]


def request_of(
    path: str, body: bytes, *, token: str, content_type: str = "image/jpeg", port: int, more: str = ""
) -> bytes:
    """`more`: lines of the head, each with its line end."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


async def ask_all(
    port: int, requests: Sequence[bytes], *, clients: int, seconds: float, proof: bytes = PREDICTION, each: int = 1
) -> Tally:
    """Closed loop: each client sends its next request when its last one was answered with `each` proofs."""
    tally, turn, began = Tally(clients, seconds), iter(range(10**9)), time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            writer.write(requests[next(turn) % len(requests)])
            status, body = await _answer(reader)
            tally.took_s.append(time.perf_counter() - sent)
            tally.at_s.append(time.perf_counter() - began)
            if status != 200 or body.count(proof) != each:
                tally.wrong.append(body[:300].decode(errors="replace"))
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return tally


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
    return int(lines[0].split()[1]), await reader.readexactly(length)
