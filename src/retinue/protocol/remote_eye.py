"""The eye elsewhere: networks run on other servers of the protocol, everything before and behind them runs here.

So answers are those of the local eye, whoever runs the graph. That it is the same graph is checked: the first answer of
each server to each model is compared with our own, and a server that answers something else is not asked.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import numpy as np
import structlog
from numpy.typing import NDArray

from retinue.base.errors import Malformed
from retinue.protocol import wire
from retinue.protocol.places import Place, Places, Way
from retinue.vision.errors import EyeIsFull, ModelFailed
from retinue.vision.lanes import Shape
from retinue.vision.model import Session
from retinue.vision.package import Package
from retinue.vision.patience import seconds_left
from retinue.vision.tensors import Tensors

CONNECT_S = 1.0
LANES_EACH = 8  # requests under way to one server; it makes batches of them as it likes
TRIES = 2  # an inference changes nothing, so it may be asked for once more
BUSY = frozenset({429, 503})
BROKEN = frozenset({502, 504})
# A graphics card rounds otherwise than a processor: 1 % of the largest output was seen with TF32.
TOLERANCE = 0.02
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """An input or output of the graph, in the words of a session."""

    name: str
    type: str
    shape: list[int | str | None]


class _Refused(Exception):
    """This place does not answer this; another may. `hard`: there is something wrong with the place itself;
    `is_stranger`: only with what it knows of this model."""

    def __init__(
        self, because: str, *, hard: bool = False, is_stranger: bool = False, busy_s: float | None = None
    ) -> None:
        super().__init__(because)
        self.because, self.hard, self.is_stranger, self.busy_s = because, hard, is_stranger, busy_s


class RemoteEye:
    """Gives `Engine(elsewhere=…)` its sessions. `timeout_s`: how long one try may take."""

    def __init__(self, places: Places, *, token: str = "", timeout_s: float = 10.0) -> None:
        self.places = places
        self.timeout_s = timeout_s
        self.shape = Shape(lanes=LANES_EACH * len(places))
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=self.shape.lanes),
            trust_env=False,
        )

    def session(self, package: Package, open_here: Callable[[], Session]) -> Session:
        return RemoteSession(self, package, open_here)

    def close(self) -> None:
        self._http.close()

    def get(self, place: Place, path: str) -> httpx2.Response:
        return self._ask(place, "GET", path, follow_redirects=True)

    def post(self, place: Place, path: str, body: bytes, header_bytes: int | None) -> httpx2.Response:
        headers = {"Content-Type": "application/json"}
        if header_bytes is not None:
            headers = {"Content-Type": wire.BINARY, wire.HEADER: str(header_bytes)}
        return self._ask(place, "POST", path, content=body, headers=headers)

    def _ask(self, place: Place, method: str, path: str, **more: Any) -> httpx2.Response:
        left_s = seconds_left(at_most=self.timeout_s)
        patience = httpx2.Timeout(left_s, connect=min(CONNECT_S, left_s))
        try:
            return self._http.request(method, place.url + path, timeout=patience, **more)
        except httpx2.ReadTimeout as late:
            # With little time left to begin with, it is not the place that is slow.
            raise _Refused("no answer in time", hard=left_s >= self.timeout_s) from late
        except httpx2.HTTPError as failure:
            raise _Refused(type(failure).__name__, hard=True) from failure


class RemoteSession:
    """One package's graph, run by whichever place is asked."""

    def __init__(self, eye: RemoteEye, package: Package, open_here: Callable[[], Session]) -> None:
        self._eye, self._package, self._open_here = eye, package, open_here
        self._comparing = threading.Lock()
        here = open_here()
        self._inputs, self._outputs = _copied(here.get_inputs()), _copied(here.get_outputs())

    def get_inputs(self) -> Sequence[Told]:
        return self._inputs

    def get_outputs(self) -> Sequence[Told]:
        return self._outputs

    def run(self, names: Sequence[str], feed: Tensors) -> Sequence[NDArray[Any]]:
        """At one place, and once more at another where that one does not answer."""
        self._get_to_know(feed)
        refusals: dict[Place, _Refused] = {}
        for _ in range(TRIES):
            with self._eye.places.one(self._package.key, but=refusals) as place:
                try:
                    answer = self._run_at(place, names, feed)
                except _Refused as refusal:
                    refusals[place] = refusal
                    self._remember(place, refusal)
                    continue
            self._eye.places.answered(place)
            return answer
        raise _told_to_caller(list(refusals.values()))

    def _run_at(self, place: Place, names: Sequence[str], feed: Tensors) -> Sequence[NDArray[Any]]:
        way = place.ways.get(self._package.key)
        if way is None and self._eye.places.is_strange(place, self._package.key):
            raise _Refused("it has another model of this name, or none")
        if way is None:
            way = self._compared(place, feed)
        return self._asked(place, way, names, feed)

    def _get_to_know(self, feed: Tensors) -> None:
        """The first run, which warms the model, meets every place there is; nobody's picture has to wait for it."""
        if any(self._package.key in place.ways for place in self._eye.places.reachable()):
            return
        for place in self._eye.places.reachable():
            try:
                self._compared(place, feed)
            except _Refused as refusal:
                self._remember(place, refusal)

    def _remember(self, place: Place, refusal: _Refused) -> None:
        if refusal.hard:
            self._eye.places.failed(place, because=refusal.because)
        elif refusal.is_stranger:
            self._eye.places.has_another(place, self._package.key)

    def _compared(self, place: Place, feed: Tensors) -> Way:
        """The way in which this place gives our own answers."""
        with self._comparing:
            if (known := place.ways.get(self._package.key)) is not None:
                return known
            way = self._way_to(place)
            names = [told.name for told in self._outputs]
            theirs = self._asked(place, way, names, feed)
            ours = self._open_here().run(names, feed)
            if not all(_is_same(one, other) for one, other in zip(ours, theirs, strict=True)):
                _log.error("an eye has another model of this name", url=place.url, model=self._package.name)
                raise _Refused(f"its model “{self._package.name}” is another one", is_stranger=True)
            place.ways[self._package.key] = way
            return way

    def _way_to(self, place: Place) -> Way:
        """A house like ours knows a package by its key, so that an older version can be told from a newer one. Others
        know the model's name, and say themselves whether they read bytes."""
        path = f"/v2/models/{quote(self._package.name)}"
        exact = f"{path}/versions/{self._package.key}"
        if self._eye.get(place, f"{exact}/ready").is_success:
            return Way(f"{exact}/infer", as_bytes=True)
        return Way(f"{path}/infer", as_bytes=_reads_bytes(self._eye.get(place, "/v2")))

    def _asked(self, place: Place, way: Way, names: Sequence[str], feed: Tensors) -> Sequence[NDArray[Any]]:
        answer = self._eye.post(place, way.path, *_request(names, feed, as_bytes=way.as_bytes))
        if answer.status_code != httpx2.codes.OK:
            raise _refusal(answer)
        try:
            found = _outputs_of(answer)
            return [found[name] for name in names]
        except (Malformed, KeyError, TypeError, ValueError) as cause:
            raise _Refused("its answer cannot be read", hard=True) from cause


def _reads_bytes(metadata: httpx2.Response) -> bool:
    try:
        told = metadata.json()
    except ValueError:  # no server metadata: one of the simplest
        return False
    return isinstance(told, dict) and "binary_tensor_data" in told.get("extensions", ())


def _request(names: Sequence[str], feed: Tensors, *, as_bytes: bool) -> tuple[bytes, int | None]:
    told: list[dict[str, Any]] = []
    tails: list[bytes] = []
    for name, array in feed.items():
        one = {"name": name, "shape": list(array.shape), "datatype": wire.datatype_of(array.dtype)}
        if as_bytes:
            tails.append(wire.to_bytes(array))
            told.append({**one, "parameters": {"binary_data_size": len(tails[-1])}})
        else:
            told.append({**one, "data": wire.to_json(array)})
    wanted = [{"name": name, **({"parameters": {"binary_data": True}} if as_bytes else {})} for name in names]
    return wire.put_together({"inputs": told, "outputs": wanted}, tails)


def _outputs_of(answer: httpx2.Response) -> Tensors:
    """As bytes, which is what was asked for, or as JSON from a server that does not know how to."""
    length = answer.headers.get(wire.HEADER)
    document, tail = wire.take_apart(answer.content, None if length is None else int(length))
    arrays: Tensors = {}
    at = 0
    for told in document["outputs"]:
        name, datatype, shape = told["name"], told["datatype"], told["shape"]
        if (size := (told.get("parameters") or {}).get("binary_data_size")) is None:
            arrays[name] = wire.from_json(name, datatype, shape, told["data"])
            continue
        arrays[name] = wire.from_bytes(name, datatype, shape, tail[at : at + size])
        at += size
    return arrays


def _refusal(answer: httpx2.Response) -> _Refused:
    status = answer.status_code
    if status in BUSY:
        told = answer.headers.get("retry-after", "")
        return _Refused("it has too much to do", busy_s=float(told) if told.isdecimal() else 1.0)
    return _Refused(f"it answered {status}", hard=status in BROKEN, is_stranger=status == httpx2.codes.NOT_FOUND)


def _told_to_caller(refusals: Sequence[_Refused]) -> Exception:
    """Whoever asks learns whether to come again; which machine said what stands in the log."""
    if busy := [one.busy_s for one in refusals if one.busy_s is not None]:
        return EyeIsFull(retry_after_s=max(busy))
    if all(one.hard for one in refusals):
        return EyeIsFull("No eye can be reached at the moment.", retry_after_s=2.0)
    _log.error("no eye answered", because=[one.because for one in refusals])
    return ModelFailed()


def _is_same(ours: NDArray[Any], theirs: NDArray[Any]) -> bool:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    if ours.dtype.kind != "f" or not ours.size:
        return bool(np.array_equal(ours, theirs))
    most = float(np.abs(ours).max()) or 1.0
    return bool(np.abs(ours.astype(np.float64) - theirs).max() <= TOLERANCE * most)


def _copied(told: Sequence[Any]) -> list[Told]:
    """A session's own words die with it."""
    return [Told(one.name, one.type, list(one.shape)) for one in told]
