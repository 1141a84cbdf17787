"""How a long answer becomes a file: beside its place first, so that whoever finds it finds all of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from retinue.client.asking import Plan, Request, Work
from retinue.client.rooms import Room

OnBytes = Callable[[int], object]


def saved(room: Room[Any], request: Request, file: str | Path, *, on_progress: OnBytes | None = None) -> Plan[Path]:
    """A line that breaks on the way begins anew."""
    place = Path(file)
    draft = place.with_name(place.name + ".part")
    out = yield Work(lambda: draft.open("wb"))

    def take(piece: bytes) -> None:
        out.write(piece)
        if on_progress is not None:
            on_progress(out.tell())

    def begin() -> Callable[[bytes], object]:
        out.seek(0)
        out.truncate()
        return take

    try:
        yield from room._settle(replace(request, saved=begin))
        out.close()
        yield Work(lambda: draft.replace(place))
    except BaseException:
        out.close()
        draft.unlink(missing_ok=True)
        raise
    return place
