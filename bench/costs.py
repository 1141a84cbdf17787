"""Where the processor time of one live prediction goes, part by part, in microseconds.

    python -m bench.costs [--requests 400]

The house runs in this process and is asked without a socket, one request at a time; the eye answers at once with what
it saw before, so that everything but decode and model is left. HTTP is measured apart: a server that swallows the same
pictures. Parts are timed with the clock of their own thread.
"""

import argparse
import asyncio
import inspect
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import structlog
import uvloop
from starlette.types import Message, Receive, Scope, Send

from bench.client import ask_all, request_of
from bench.figures import Figure, give
from bench.pictures import jpegs
from bench.server import ADMIN, PASSWORD, cpu_s_of, until_listening
from retinue import assembly
from retinue.accounts.recognising import Recognition
from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.predictions import live, road, routes
from retinue.predictions.asking import Ask
from retinue.vision.engine import Engine
from retinue.vision.results import Seen
from tests.servers.processes import free_port

PATH, QUERY = "/api/v1/predict", b"cache=false"
WARM = 70
HOLD, CHARGE = "the hold's statements", "the charge's and the prediction's statements"
ANSWER = "the answer, with signed links"
PARTS: tuple[tuple[object, str, str], ...] = (
    (Recognition, "recognise", "who asks"),
    (routes, "ask_of", "what is asked"),
    (road, "Opened", "the picture's header and guards"),
    (Ask, "picture_sha256", "the picture's checksum"),
    (live, "begin", HOLD),
    (live, "finish", CHARGE),
    (live, "answer_of", ANSWER),
)


class Clock:
    """Thread time by part; coroutines among the parts do not wait once they are warm."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def put_on(self, owner: Any, name: str, label: str) -> None:
        do = getattr(owner, name)

        @wraps(do)
        def timed(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return do(*given, **named)
            finally:
                self.seconds[label] += time.thread_time() - began

        @wraps(do)
        async def timed_later(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return await do(*given, **named)
            finally:
                self.seconds[label] += time.thread_time() - began

        setattr(owner, name, timed_later if inspect.iscoroutinefunction(do) else timed)


class Threads:
    """Processor time of every thread of this process."""

    def __init__(self) -> None:
        self.at = {int(thread.name): _thread_s(thread) for thread in Path("/proc/self/task").iterdir()}

    def since(self, before: "Threads") -> dict[int, float]:
        return {thread: at - before.at.get(thread, 0) for thread, at in self.at.items()}


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--requests", type=int, default=400)
    requests = asked.parse_args().requests
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        parts = runner.run(measure(Path(folder), requests))
    parts["HTTP (uvicorn, a body of the same size)"] = http_s()
    whole = sum(parts.values())
    words = "of processor time, everything but decode and model"
    return give(
        "costs",
        [
            Figure("one request", round(whole * 1000, 2), "ms", 1.5, 0.8, less_is_better=True, remark=words),
            *(
                Figure(part, round(seconds * 1e6), "µs", less_is_better=True)
                for part, seconds in sorted(parts.items(), key=lambda one: -one[1])
            ),
        ],
    )


async def measure(folder: Path, requests: int) -> dict[str, float]:
    """Seconds of one request, by part."""
    clock, pictures = Clock(), jpegs(64, width=640, height=480)
    for part in PARTS:
        clock.put_on(*part)
    writer = _thread_of(Database, "_write_forever")
    house = assembly.open_house(
        Settings(data_dir=folder, admin_email=ADMIN, admin_password=PASSWORD, rate_limit=1_000_000, rate_burst=100_000)
    )
    assembly.prepare(house)
    app = assembly.application(house)
    async with app.router.lifespan_context(app):
        key = await a_rich_key(app)
        answer_at_once()
        for number in range(WARM):
            await ask(app, "POST", PATH, pictures[number % 64], key)
        clock.seconds.clear()
        before = Threads()
        for number in range(requests):
            await ask(app, "POST", PATH, pictures[number % 64], key)
        used = Threads().since(before)
    house.close()
    loop_s, writer_s = used.pop(threading.get_native_id()), used.pop(writer[0])
    told = dict(clock.seconds)
    told[CHARGE] -= told[ANSWER]
    written = told[HOLD] + told[CHARGE] + told[ANSWER]
    told["transactions and commits around them"] = writer_s - written
    told["routing, validation, tasks, answers"] = loop_s - (sum(clock.seconds.values()) - told[ANSWER] - written)
    told["other threads (storage, chores)"] = sum(used.values())
    return {name: seconds / requests for name, seconds in told.items()}


async def a_rich_key(app: Any) -> str:
    signed_in = await ask(app, "POST", "/api/v1/sessions", _json(email=ADMIN, password=PASSWORD))
    token = signed_in["access_token"]
    await ask(app, "POST", f"/api/v1/admin/users/{ADMIN}/credits", _json(amount=100_000, reason="bench"), token)
    made = await ask(app, "POST", "/api/v1/me/keys", _json(name="bench"), token)
    return str(made["key"])


async def ask(app: Any, method: str, path: str, body: bytes, token: str = "") -> Any:
    kind = b"image/jpeg" if path == PATH else b"application/json"
    headers = [(b"host", b"127.0.0.1"), (b"content-type", kind), (b"content-length", b"%d" % len(body))]
    if token:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": QUERY if path == PATH else b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop() if messages else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] < 300, sent
    return json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


def answer_at_once() -> None:
    """The eye sees the first picture and remembers its answer for all others."""
    look, seen = Engine.predict, list[Seen]()

    async def remembered(self: Engine, *given: Any, **named: Any) -> Seen:
        if not seen:
            seen.append(await look(self, *given, **named))
        return seen[0]

    Engine.predict = remembered  # type: ignore[method-assign]


async def swallow(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app that reads a body and says yes."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = b'{"prediction_id":"none"}'
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def http_s() -> float:
    """Processor seconds of one request that nobody looks at."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.costs:swallow", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen([*command, "--loop", "uvloop", "--http", "httptools", "--lifespan", "off"])
    try:
        requests = [request_of("/", one, token="none", port=port) for one in jpegs(16, width=640, height=480)]
        until_listening(port)
        asyncio.run(ask_all(port, requests, clients=8, seconds=0.5))
        before = cpu_s_of(process.pid)
        tally = asyncio.run(ask_all(port, requests, clients=8, seconds=3))
        return (cpu_s_of(process.pid) - before) / len(tally.took_s)
    finally:
        process.kill()
        process.wait()


def _thread_of(owner: Any, name: str) -> list[int]:
    """Filled with the id of the thread that runs the method, once it runs."""
    run: Callable[..., Any] = getattr(owner, name)
    found: list[int] = []

    @wraps(run)
    def noted(*given: Any) -> Any:
        found.append(threading.get_native_id())
        return run(*given)

    setattr(owner, name, noted)
    return found


def _thread_s(thread: Path) -> float:
    return int((thread / "schedstat").read_text().split()[0]) / 1e9


def _json(**told: Any) -> bytes:
    return json.dumps(told).encode()


if __name__ == "__main__":
    sys.exit(main())
