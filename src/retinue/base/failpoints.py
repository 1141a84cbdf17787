"""Named places where a test may make this process die, fail or wait. In service they cost one look at an empty dict."""

import os
import signal
import time
from collections.abc import Callable
from typing import Literal

Deed = Literal["kill", "raise", "wait"]
_armed: dict[str, Deed] = {}


class FailpointHit(Exception):
    """A test asked for this failure."""


def reach(name: str) -> None:
    if _armed and (deed := _armed.pop(name, None)) is not None:
        _DEEDS[deed]()


def arm(told: str) -> None:
    """`before_live_charge=kill,after_claim=wait`: each goes off once."""
    for pair in filter(None, told.split(",")):
        name, _, deed = pair.partition("=")
        if deed not in _DEEDS:
            raise ValueError(f"{deed!r} is no deed; there are: {', '.join(_DEEDS)}")
        _armed[name] = deed  # type: ignore[assignment]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise FailpointHit()


def _wait() -> None:
    time.sleep(2)


_DEEDS: dict[str, Callable[[], None]] = {"kill": _kill, "raise": _fail, "wait": _wait}
