"""Runs one function in a limited child process, for work on bytes that nobody vouches for: videos, new models.

The child has a ceiling on processor time and address space, an empty working directory, none of the parent's
environment, may write no large file and, where the kernel filters system calls, open no socket and start no program.
It answers in JSON and plain bytes, never in pickles: a child taken over by its input cannot take over its parent.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from typing import Any, BinaryIO, ClassVar, Literal, NoReturn, TypeAlias

from retinue.vision import errors
from retinue.vision.errors import VisionError

Json: TypeAlias = dict[str, Any]
Message: TypeAlias = tuple[Json, bytearray]
Reason: TypeAlias = Literal["memory", "processor time", "wall time", "crash"]

MIB = 1 << 20


class ChildDied(VisionError):
    """The child ended without an answer. `reason` says of what; `trace` is for the log, never for a person."""

    code: ClassVar[str] = "child-died"
    title: ClassVar[str] = "The contained work ended without an answer"

    def __init__(self, detail: str, *, reason: Reason, trace: str = "") -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.trace = trace
        if trace:
            self.add_note(trace)


class ChildTimedOut(ChildDied):
    """The child took more processor time or more waiting than it was given."""

    code: ClassVar[str] = "child-timed-out"
    title: ClassVar[str] = "The contained work took too long"


def run_contained(
    function: str,
    payload: Json,
    *,
    cpu_s: float = 30,
    wall_s: float = 60,
    memory_bytes: int = 1024 * MIB,
    pass_fds: Sequence[int] = (),
) -> Json:
    """Call `function` ("package.module:name") with the payload in a child and return the dictionary it returns.

    A VisionError raised there is raised here; anything else it does wrong is ChildDied.
    """
    told = stream_contained(function, payload, cpu_s=cpu_s, wall_s=wall_s, memory_bytes=memory_bytes, pass_fds=pass_fds)
    with contextlib.closing(told):
        for answer, _ in told:
            return answer
    raise AssertionError("a stream without messages ends in ChildDied")


def stream_contained(
    function: str,
    payload: Json,
    *,
    cpu_s: float,
    wall_s: float,
    memory_bytes: int,
    pass_fds: Sequence[int] = (),
    max_message_bytes: int = 64 * MIB,
) -> Generator[Message, None, None]:
    """The same for a generator in the child: each `(dictionary, bytes)` that it yields arrives here as it is made.

    `wall_s` counts the time spent waiting for the child, not the time that its reader takes between two messages; the
    pipe's own few kilobytes are all that piles up meanwhile. Closing the generator ends the child.
    """
    with tempfile.TemporaryDirectory(prefix="contained-") as empty, tempfile.TemporaryFile() as said:
        child, source = _start(function, cwd=empty, said=said, pass_fds=pass_fds)
        try:
            limits = {"cpu_s": cpu_s, "wall_s": wall_s, "memory_bytes": memory_bytes}
            _tell(child, {"function": function, "limits": limits, "payload": payload})
            reader = _Reader(source, wall_s=wall_s, max_message_bytes=max_message_bytes)
            while True:
                try:
                    message, body = reader.read()
                except EOFError:
                    _explain_death(child, said)
                except TimeoutError:
                    child.kill()
                    raise ChildTimedOut(f"No answer within {wall_s:g} s.", reason="wall time") from None
                if "end" in message:
                    return
                if "raised" in message:
                    raise _error_of(message["raised"])
                yield message["told"], body
        finally:
            child.kill()
            child.wait()
            os.close(source)


def _start(function: str, *, cwd: str, said: BinaryIO, pass_fds: Sequence[int]) -> tuple[subprocess.Popen[bytes], int]:
    source, sink = os.pipe()
    try:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module; the payload goes by pipe
            [sys.executable, "-P", "-m", "retinue.vision.contained_child", str(sink), function],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd=cwd,
            env=_environment(cwd),
            pass_fds=[sink, *pass_fds],
            close_fds=True,
        )
    except BaseException:
        os.close(source)
        raise
    finally:
        os.close(sink)
    return child, source


def _environment(cwd: str) -> dict[str, str]:
    """Nothing of ours but where the code lies: passwords and keys stay out. One malloc arena per processor would
    reserve 64 MiB of address space each."""
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": cwd,
        "HOME": cwd,
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _tell(child: subprocess.Popen[bytes], order: Json) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin:  # a child that died already is explained by its exit
        child.stdin.write(json.dumps(order).encode())


class _Reader:
    """Length-prefixed messages from the pipe, with one budget of waiting for all of them."""

    def __init__(self, source: int, *, wall_s: float, max_message_bytes: int) -> None:
        self.source = source
        self.left_s = wall_s
        self.max_message_bytes = max_message_bytes
        self.poll = select.poll()
        self.poll.register(source, select.POLLIN)

    def read(self) -> Message:
        head = json.loads(self.take(self.length()))
        return head, self.take(self.length())

    def length(self) -> int:
        length = int.from_bytes(self.take(8), "big")
        if length > self.max_message_bytes:
            raise ChildDied("The contained work answered with more than it may.", reason="crash")
        return length

    def take(self, length: int) -> bytearray:
        taken = bytearray(length)
        view = memoryview(taken)
        while view:
            started = time.monotonic()
            ready = self.poll.poll(max(self.left_s, 0) * 1000)
            self.left_s -= time.monotonic() - started
            if not ready:
                raise TimeoutError
            count = os.readv(self.source, [view])
            if not count:
                raise EOFError
            view = view[count:]
        return taken


def _explain_death(child: subprocess.Popen[bytes], said: BinaryIO) -> NoReturn:
    status = child.wait()
    said.seek(0)
    trace = said.read(16_384).decode("utf-8", "replace")
    if status == -signal.SIGXCPU:
        raise ChildTimedOut("It used up its processor time.", reason="processor time", trace=trace)
    if status == -signal.SIGALRM:
        raise ChildTimedOut("No answer in time.", reason="wall time", trace=trace)
    if status == -signal.SIGKILL:
        raise ChildDied("It was killed, most likely for memory.", reason="memory", trace=trace)
    raise ChildDied("It crashed.", reason="crash", trace=trace)


def _error_of(raised: Json) -> VisionError:
    """Only errors that this library names cross over; everything else is the child's own failure."""
    if raised["kind"] == "MemoryError":
        return ChildDied("It needed more memory than it may have.", reason="memory", trace=raised["trace"])
    kind = getattr(errors, raised["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, VisionError)):
        return ChildDied("It failed in a way that nobody foresaw.", reason="crash", trace=raised["trace"])
    extra = {name: tuple(value) if isinstance(value, list) else value for name, value in raised["extra"].items()}
    return kind(raised["detail"], **extra)
