"""The child's side of `contained`: puts on its limits, calls one function and tells what came of it."""

import ctypes
import errno
import importlib
import inspect
import json
import math
import os
import platform
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from retinue.vision.errors import VisionError

# System calls that work on a picture, video or model never needs: socket, execve, execveat, ptrace, io_uring_setup.
FORBIDDEN_CALLS = {"x86_64": (0xC000003E, (41, 59, 322, 101, 425)), "aarch64": (0xC00000B7, (198, 221, 281, 117, 425))}
MAX_FILE_BYTES = 1 << 20


def main() -> None:
    sink, function = int(sys.argv[1]), sys.argv[2]
    order = json.loads(sys.stdin.buffer.read())
    limits = order["limits"]
    teller = Teller(sink, wall_s=limits["wall_s"])
    put_on_limits(cpu_s=limits["cpu_s"], memory_bytes=limits["memory_bytes"])
    forbid_calls()
    try:
        module, _, name = function.partition(":")
        for told, body in _answers(getattr(importlib.import_module(module), name), order["payload"]):
            teller.tell({"told": told}, body)
        teller.tell({"end": True})
    except BrokenPipeError:
        pass  # the parent has heard enough
    except Exception as failure:  # noqa: BLE001 - the parent sorts what it knows from what it does not
        teller.tell({"raised": _as_json(failure)})


class Teller:
    """Writes messages; between two of them the clock runs, while the parent is slow to read it stands."""

    def __init__(self, sink: int, *, wall_s: float) -> None:
        self.stream = os.fdopen(sink, "wb", buffering=0)
        self.wall_s = wall_s
        self.wind_clock()

    def wind_clock(self) -> None:
        # The parent ends us on time; this is for a child whose parent died first. The default action of SIGALRM ends
        # the process without any help of ours.
        signal.setitimer(signal.ITIMER_REAL, self.wall_s + 2)

    def tell(self, head: dict[str, Any], body: bytes | memoryview = b"") -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        view = memoryview(body).cast("B")
        text = json.dumps(head).encode()
        for part in (struct.pack(">Q", len(text)), text, struct.pack(">Q", len(view)), view):
            left = memoryview(part)
            while left:
                left = left[self.stream.write(left) or 0 :]
        self.wind_clock()


def put_on_limits(*, cpu_s: float, memory_bytes: int) -> None:
    seconds = math.ceil(cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)  # live predictions go first


def forbid_calls() -> bool:
    """Have the kernel answer "permission denied" to the calls above; True where it agreed to."""
    if sys.platform != "linux" or platform.machine() not in FORBIDDEN_CALLS:
        return False
    architecture, numbers = FORBIDDEN_CALLS[platform.machine()]
    deny = 0x00050000 | errno.EACCES
    steps = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, deny), (0x20, 0, 0, 0)]
    steps += [(0x35, len(numbers) + 1, 0, 0x40000000)]  # the x32 twins of all calls
    steps += [(0x15, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    steps += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, deny)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None).prctl
    no_new_privileges, seccomp, mode_filter = 38, 22, 2
    no_more = [ctypes.c_ulong(number) for number in (1, 0, 0, 0)]
    return bool(
        prctl(no_new_privileges, *no_more) == 0
        and prctl(seccomp, ctypes.c_ulong(mode_filter), ctypes.c_void_p(ctypes.addressof(program)), *no_more[1:3]) == 0
    )


def _answers(function: Any, payload: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes | memoryview]]:
    answer = function(payload)
    if inspect.isgenerator(answer):
        yield from answer
    else:
        yield answer, b""


def _as_json(failure: Exception) -> dict[str, Any]:
    extra = {name: value for name, value in vars(failure).items() if name != "detail"}
    ours = isinstance(failure, VisionError)
    return {
        "kind": "MemoryError" if isinstance(failure, MemoryError) else type(failure).__name__,
        "detail": failure.detail if isinstance(failure, VisionError) else "",
        "extra": extra if ours else {},
        "trace": "".join(traceback.format_exception(failure))[-16_384:],
    }


if __name__ == "__main__":
    main()
