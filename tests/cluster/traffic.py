"""People who ask a cluster while it is shaken: what they are told is kept, and what must not be told is a surprise."""

import hashlib
import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.cluster.cluster import Node
from tests.pictures import drawn

PATIENCE_S = 180  # a ticket of a killed node blocks its key for a minute; the rest is for a crowded machine
ANSWER_S = 90  # a server gives up after 30 s and says so
PAUSE_S = 0.5
BETWEEN_JOBS_S = 3


class Surprise(Exception):
    """An answer that no client should have to expect."""


@dataclass
class Line:
    """The way to the nodes, one after the other. A new connection each time, so that no old one can be half dead."""

    nodes: Sequence[Node]
    key: str
    told: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._turns = itertools.cycle(self.nodes)
        self._http = httpx2.Client(timeout=ANSWER_S, limits=httpx2.Limits(max_keepalive_connections=0))

    def try_once(self, method: str, path: str, *, once: str = "", **sent: Any) -> httpx2.Response | None:
        """None where nothing came of it and the same may be asked again."""
        node, begun = next(self._turns), time.monotonic()
        headers = {"Authorization": f"Bearer {self.key}", **({"Idempotency-Key": once} if once else {})}
        try:
            answer = self._http.request(method, node.address + path, headers=headers, **sent)
        except httpx2.TransportError as broken:
            if not node.was_down(since=begun):
                raise Surprise(
                    f"{node.name} was alive, yet: {broken!r} after {time.monotonic() - begun:.1f} s"
                ) from broken
            self.told["broken connection"] += 1
            return None
        if answer.is_success:
            self.told[node.name] += 1
            return answer
        code = answer.json().get("code")
        if answer.status_code != 503 and code != "still-running":
            raise Surprise(f"{node.name} said {answer.status_code} to {method} {path}: {answer.text[:500]}")
        self.told[str(code)] += 1
        return None

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Again and again until it is answered."""
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self.try_once(method, path, **more)) is None:
            if time.monotonic() > deadline:
                raise Surprise(f"{method} {path} was not answered in {PATIENCE_S} s")
            time.sleep(PAUSE_S)
        return answer.json()

    def close(self) -> None:
        self._http.close()


@dataclass
class Looker:
    """Asks about one new picture after the other. What was not answered is asked again later, under the same key."""

    line: Line
    number: int
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)  # by the SHA-256 of the picture
    open: list[tuple[bytes, str]] = field(default_factory=list)

    def work_until(self, stopped: threading.Event) -> None:
        for count in itertools.count():
            if stopped.wait(PAUSE_S):
                break
            self._look(drawn(1_000_000 * self.number + count), str(uuid.uuid4()))
        deadline = time.monotonic() + PATIENCE_S
        while self.open:
            if time.monotonic() > deadline:
                raise Surprise(f"{len(self.open)} pictures were not answered in {PATIENCE_S} s")
            asked, self.open = self.open, []
            for picture, key in asked:
                self._look(picture, key)
            time.sleep(PAUSE_S)

    def _look(self, picture: bytes, key: str) -> None:
        files = {"file": ("picture.jpg", picture, "image/jpeg")}
        answer = self.line.try_once("POST", "/api/v1/predict", once=key, files=files)
        if answer is None:
            self.open.append((picture, key))
        else:
            self.answers[hashlib.sha256(picture).hexdigest()] = answer.json()


@dataclass
class Foreman:
    """Orders a job over the dataset as soon as the last one is over."""

    line: Line
    dataset: str
    jobs: list[dict[str, Any]] = field(default_factory=list)

    def work_until(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            order = {"dataset": self.dataset, "parameters": {"annotate": True}}
            told = self.line.ask("POST", "/api/v1/inferences", once=str(uuid.uuid4()), json=order)
            deadline = time.monotonic() + PATIENCE_S
            while (job := self.line.ask("GET", f"/api/v1/inferences/{told['inference_id']}"))["finished_at"] is None:
                if time.monotonic() > deadline:
                    raise Surprise(f"a job did not end in {PATIENCE_S} s: {job}")
                time.sleep(PAUSE_S)
            self.jobs.append(job)
            stopped.wait(BETWEEN_JOBS_S)


@dataclass
class Traffic:
    lookers: list[Looker]
    foreman: Foreman
    _works: "list[Future[None]]" = field(default_factory=list)

    def flows(self, *, answers: int = 2) -> None:
        """Returns when every API node has given that many answers from now on."""
        before, deadline = self._answers_by_node(), time.monotonic() + PATIENCE_S
        while any(count - before[name] < answers for name, count in self._answers_by_node().items()):
            for work in self._works:
                if work.done():
                    work.result()
            if time.monotonic() > deadline:
                raise Surprise(f"no traffic for {PATIENCE_S} s: {[dict(line.told) for line in self._lines()]}")
            time.sleep(PAUSE_S)

    @property
    def answers(self) -> dict[str, dict[str, Any]]:
        return {picture: answer for looker in self.lookers for picture, answer in looker.answers.items()}

    @property
    def told(self) -> Counter[str]:
        return sum((line.told for line in self._lines()), Counter())

    def _answers_by_node(self) -> Counter[str]:
        told = self.told
        return Counter({node.name: told[node.name] for node in self.foreman.line.nodes})

    def _lines(self) -> list[Line]:
        return [self.foreman.line, *(looker.line for looker in self.lookers)]


@contextmanager
def traffic(nodes: Sequence[Node], key: str, *, dataset: str, lookers: int) -> Iterator[Traffic]:
    """Flows inside the block; what is open at its end is asked to its end."""
    flowing = Traffic([Looker(Line(nodes, key), n) for n in range(lookers)], Foreman(Line(nodes, key), dataset))
    stopped = threading.Event()
    with ThreadPoolExecutor(lookers + 1) as pool:
        flowing._works += [pool.submit(one.work_until, stopped) for one in (*flowing.lookers, flowing.foreman)]
        try:
            yield flowing
        finally:
            stopped.set()
        for work in flowing._works:
            work.result()
    for line in flowing._lines():
        line.close()
