"""Models and their versions: what there is, and what admins do about them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from retinue.client.asking import File, Pages, Plan, Request, Work, given, place
from retinue.client.pictures import file_of
from retinue.client.rooms import Room, S, Told, listing, operation

INTAKE_S = 900.0  # a model is pulled, tried and timed before this is answered


class Frame(Told):
    width: int | None
    height: int | None
    channels: int = 3


class Version(Told):
    version: str
    state: str
    input: Frame
    labels: list[str]
    thresholds: dict[str, float]
    source: str
    licence: str
    description: str
    quality: str
    sha256: str
    size_bytes: int
    intake: dict[str, Any]
    created_at: datetime
    activated_at: datetime | None


class Model(Told):
    name: str
    task: str
    enabled: bool
    price: float
    active_version: str | None
    labels_count: int
    input: Frame
    licence: str
    quality: str
    description: str
    ms_per_picture: float | None
    loaded: bool
    created_at: datetime


class Shadowing(Told):
    """A version that also answers so many of a hundred live pictures: free and unseen."""

    version: str
    percent: int


class ModelWithVersions(Model):
    versions: list[Version]
    shadow: Shadowing | None = None


class Taken(Told):
    """A model that passed its intake test."""

    model: str
    version: str
    intake: dict[str, Any]


class Accuracy(Told):
    """Of its judged pictures, with the ends of the 95 % interval."""

    judged: int
    right: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None


class VersionCompared(Accuracy):
    """`only_this`: pictures that this version got right and the other one wrong."""

    version: str
    only_this: int


class Compared(Told):
    """`chance`: how likely such a difference is when both are equally good."""

    model: str
    pictures: int
    both_right: int
    both_wrong: int
    a: VersionCompared
    b: VersionCompared
    chance: float


class VersionStats(Accuracy):
    """Of the answers it gave in the last seven days; cached ones took no time of its."""

    model: str
    version: str
    since: datetime
    predictions: int
    cached: int
    people: int
    model_ms_p50: float | None
    model_ms_p95: float | None
    total_ms_p50: float | None
    total_ms_p95: float | None
    last_at: datetime | None


class Side(Told):
    """What one version said; `result` has classes, detections or masks."""

    version: str
    predicted_class: str | None
    confidence_score: float | None
    result: dict[str, Any]


class Disagreement(Told):
    """A picture that a shadow version answered differently; `strength` is up to 1: both sure of different things."""

    prediction_id: str
    image_url: str
    filename: str
    user_id: str
    strength: float
    live: Side
    shadow: Side
    feedback: str | None
    created_at: datetime


class Shadow(TypedDict):
    version: str
    percent: int


class ModelChange(TypedDict, total=False):
    price: float | None  # None: the server's usual price
    thresholds: Mapping[str, float]
    enabled: bool
    shadow: Shadow | None  # None ends it


class Models(Room[S]):
    @operation
    def get(self, name: str) -> Plan[ModelWithVersions]:
        return (yield from self._ask(Request("GET", place("/models/{}", name)), ModelWithVersions))

    @operation
    def add(
        self,
        model: str | Path,
        *,
        name: str | None = None,
        task: str | None = None,
        labels: Sequence[str] | None = None,
        size: str | None = None,
        pixels: str | None = None,
        licence: str | None = None,
        sha256: str | None = None,
    ) -> Plan[Taken]:
        """A new model from a file, or from `https://…` or `hf://owner/name[:file]`; the facts are for what a file
        does not say."""
        facts = _facts(name=name, task=task, labels=labels, size=size, pixels=pixels, licence=licence)
        request = yield from _arriving(place("/models"), model, facts, sha256)
        return (yield from self._ask(request, Taken))

    @operation
    def add_version(
        self,
        name: str,
        model: str | Path,
        *,
        task: str | None = None,
        labels: Sequence[str] | None = None,
        size: str | None = None,
        pixels: str | None = None,
        licence: str | None = None,
        sha256: str | None = None,
    ) -> Plan[Taken]:
        """It answers only when it is activated."""
        facts = _facts(task=task, labels=labels, size=size, pixels=pixels, licence=licence)
        request = yield from _arriving(place("/models/{}/versions", name), model, facts, sha256)
        return (yield from self._ask(request, Taken))

    @operation
    def change(self, name: str, **wanted: Unpack[ModelChange]) -> Plan[ModelWithVersions]:
        """What is not named stays."""
        return (yield from self._ask(Request("PATCH", place("/models/{}", name), json=wanted), ModelWithVersions))

    @operation
    def activate(
        self, name: str, version: str, *, reason: str | None = None, rule: str | None = None
    ) -> Plan[ModelWithVersions]:
        """From now on this version answers. A `rule` lets it only if its verdicts say so."""
        path = place("/models/{}/versions/{}/activate", name, version)
        request = Request("POST", path, json=given(reason=reason, rule=rule), timeout_s=INTAKE_S)
        return (yield from self._ask(request, ModelWithVersions))

    @operation
    def roll_back(self, name: str, *, reason: str | None = None) -> Plan[ModelWithVersions]:
        """The version that answered before answers again."""
        request = Request("POST", place("/models/{}/rollback", name), json=given(reason=reason), timeout_s=INTAKE_S)
        return (yield from self._ask(request, ModelWithVersions))

    @operation
    def compare(self, name: str, a: str, b: str) -> Plan[Compared]:
        """Two versions on the pictures that both were judged on."""
        path = place("/models/{}/versions/compare", name)
        return (yield from self._ask(Request("GET", path, query={"a": a, "b": b}), Compared))

    @operation
    def retire(self, name: str, version: str) -> Plan[ModelWithVersions]:
        """Never to answer again."""
        path = place("/models/{}/versions/{}/retire", name, version)
        return (yield from self._ask(Request("POST", path), ModelWithVersions))

    @operation
    def stats(self, name: str, version: str) -> Plan[VersionStats]:
        path = place("/models/{}/versions/{}/stats", name, version)
        return (yield from self._ask(Request("GET", path), VersionStats))

    @listing
    def disagreements(
        self, name: str, *, version: str | None = None, judged: bool | None = None
    ) -> Pages[Disagreement]:
        """Pictures that a shadow version answered differently, the strongest first."""
        told = None if judged is None else str(judged).lower()
        return self._pages(place("/models/{}/disagreements", name), Disagreement, version=version, judged=told)

    @listing
    def versions(self, name: str) -> Pages[Version]:
        """The newest first."""
        return self._pages(place("/models/{}/versions", name), Version)

    @listing
    def list(self) -> Pages[Model]:
        return self._pages(place("/models"), Model)


def _facts(*, labels: Sequence[str] | None = None, **told: str | None) -> dict[str, str]:
    return given(labels=None if labels is None else "\n".join(labels), **told)


def _arriving(path: str, model: str | Path, facts: dict[str, str], sha256: str | None) -> Plan[Request]:
    if isinstance(model, str) and model.startswith(("https://", "http://", "hf://")):
        return Request("POST", path, json=given(source=model, sha256=sha256), timeout_s=INTAKE_S)
    file: File = yield Work(partial(file_of, Path(model)))
    return Request("POST", path, form=facts, files=[("file", file)], timeout_s=INTAKE_S)
