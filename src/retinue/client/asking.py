"""A conversation with the server as a value: a plan yields what it wants done, and never does it itself.

That is why there is one text for `Client` and `AsyncClient`: whoever runs a plan (`sending.py`) decides whether to
block or to await. A plan may yield

    Request    send this, give me the Answer (or throw Unreachable at me)
    Pause      let this many seconds pass
    Work       call this function where it disturbs nobody, give me its result
    Alone      run this plan while nobody else runs one of its kind
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from httpx2 import ServerSentEvent

T = TypeVar("T")
Plan: TypeAlias = Generator[Any, Any, T]
Paged: TypeAlias = tuple[list[T], str | None]
Pages: TypeAlias = Callable[[str | None], Plan[Paged[T]]]  # from a cursor to the plan that reads its page
File: TypeAlias = tuple[str, bytes, str]  # name, content, media type
PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. What has `may_repeat` changes nothing when it comes again, or counts once however often it comes."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    files: Sequence[tuple[str, File]] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 60.0
    may_repeat: bool = False
    is_signed: bool = True
    saved: Callable[[], Callable[[bytes], object]] | None = None  # a success begins: gives what takes its pieces
    heard: Callable[[ServerSentEvent], object] | None = None  # takes its events

    def with_headers(self, **more: str) -> "Request":
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): told for name, told in more.items()}})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    do: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Alone:
    plan: Plan[Any]


def place(template: str, *parts: object) -> str:
    """The path of a thing: `place("/datasets/{}/items", name)`."""
    return PREFIX + template.format(*(quote(str(part), safe="") for part in parts))


def given(**told: Any) -> dict[str, Any]:
    """What was said, without what was left unsaid."""
    return {name: value for name, value in told.items() if value is not None}
