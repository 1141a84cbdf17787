"""Work over a whole dataset: priced, ordered, watched, stopped, and its results read while it still runs."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from retinue.client.asking import Paged, Pages, Pause, Plan, Request, given, place
from retinue.client.predicting import How, Prediction
from retinue.client.rooms import Room, S, Told, listing, once, operation
from retinue.client.saving import OnBytes, saved
from retinue.client.watching import OnStatus, Status, watched

T = TypeVar("T")
DOWNLOAD_S = 600.0
NEXT_LOOK_S = 1.0
ResultFormat = Literal["zip", "jsonl", "coco"]


class Quote(Told):
    """`expected_seconds` is None before anything of the model was measured."""

    items: int
    price: float
    expected_seconds: float | None


class Inference(Told):
    inference_id: str
    status: str
    aborting: bool
    dataset: str
    model: str
    model_version: str
    task: str
    parameters: dict[str, Any]
    priority: int
    items: int
    done: int
    failed: int
    progress: float
    price: float
    cost: float
    error: str | None
    retry_of: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None


class Accepted(Told):
    inference_id: str
    status: str
    dataset: str
    model: str
    model_version: str
    parameters: dict[str, Any]
    items: int
    price: float
    held: float
    retry_of: str | None


class ImageResult(Told):
    index: int
    original_path: str
    output_path: str | None
    output_url: str | None
    prediction: Prediction | None


class FrameResult(Told):
    frame: int
    time_s: float
    output_path: str | None
    output_url: str | None
    prediction: Prediction | None


class VideoResult(Told):
    """A video and some of its frames: a long one comes in several. `output_url` is the film, once it is made."""

    index: int
    original_path: str
    duration_s: float
    frames_total: int
    output_path: str | None
    output_url: str | None
    frames: list[FrameResult]


class FailedItem(Told):
    """`frame` and `time_s` where it is a frame of a video."""

    index: int
    original_path: str
    frame: int | None = None
    time_s: float | None = None
    code: str
    reason: str


class Job(Room[S]):
    """One inference: what was said of it when it was ordered (`told`), and what can be done about it."""

    def __init__(self, sender: S, job_id: str, told: Accepted | None = None) -> None:
        super().__init__(sender)
        self.id = job_id
        self.told = told

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    @operation
    def get(self) -> Plan[Inference]:
        return (yield from self._ask(Request("GET", place("/inferences/{}", self.id)), Inference))

    @operation
    def status(self) -> Plan[Status]:
        """Counts, speed and time left."""
        return (yield from self._ask(Request("GET", place("/inferences/{}/status", self.id)), Status))

    @operation
    def wait(self, *, patience_s: float | None = None, on_status: OnStatus | None = None) -> Plan[Inference]:
        """Until it has ended; `status` of what comes back says how. A server that is away for a while, because it is
        started anew, is waited for. Raises NotYet when the patience is over first; the job goes on."""
        yield from watched(self, self.id, patience_s=patience_s, on_status=on_status)
        return (yield from self._ask(Request("GET", place("/inferences/{}", self.id)), Inference))

    @operation
    def abort(self) -> Plan[Inference]:
        """What is finished stays, and stays charged."""
        request = Request("POST", place("/inferences/{}/abort", self.id))
        return (yield from self._ask(request, Inference))

    @operation
    def retry(self, *, idempotency_key: str | None = None) -> "Plan[Job[S]]":
        """Another job over the items that failed."""
        request = once(Request("POST", place("/inferences/{}/retry", self.id)), idempotency_key)
        told: Accepted = yield from self._ask(request, Accepted)
        return Job(self._sender, told.inference_id, told)

    @operation
    def download(
        self,
        file: str | Path,
        *,
        format: ResultFormat = "zip",  # noqa: A002 the parameter's name in the API
        annotated: bool = False,
        on_progress: OnBytes | None = None,
    ) -> Plan[Path]:
        """What there is so far, in the order of the dataset. `annotated`: in a ZIP also the answers, drawn."""
        query = {"format": format, **given(annotated="true" if annotated else None)}
        path = place("/inferences/{}/download", self.id)
        request = Request("GET", path, query=query, timeout_s=DOWNLOAD_S)
        return (yield from saved(self, request, file, on_progress=on_progress))

    @operation
    def coco(self) -> Plan[dict[str, Any]]:
        """Boxes and masks as pycocotools reads them."""
        path = place("/inferences/{}/download", self.id)
        answer = yield from self._settle(Request("GET", path, query={"format": "coco"}, timeout_s=DOWNLOAD_S))
        told: dict[str, Any] = json.loads(answer.body)
        return told

    @listing
    def results(self, *, follow: bool = False) -> Pages[ImageResult]:
        """As they came in; with `follow` to the end of the job, else what there is now."""
        return self._results("images", ImageResult, follow=follow)

    @listing
    def videos(self, *, follow: bool = False) -> Pages[VideoResult]:
        return self._results("videos", VideoResult, follow=follow)

    @listing
    def failures(self, *, follow: bool = False) -> Pages[FailedItem]:
        return self._results("failed", FailedItem, follow=follow)

    def _results(self, among: str, shape: type[T], *, follow: bool) -> Pages[T]:
        """While a job runs there is always a next cursor; a page with nothing on it says that we have caught up."""

        def page(cursor: str | None) -> Plan[Paged[T]]:
            while True:
                told: dict[str, Any] = yield from self._read_page(cursor)
                next_cursor = told["next_cursor"]
                if next_cursor is None or told["images"] or told["videos"] or told["failed"]:
                    return TypeAdapter(list[shape]).validate_python(told[among]), next_cursor  # type: ignore[valid-type]
                if not follow:
                    return [], None
                yield Pause(NEXT_LOOK_S)

        return page

    def _read_page(self, cursor: str | None) -> Plan[dict[str, Any]]:
        query = {"limit": 200, **given(cursor=cursor)}
        request = Request("GET", place("/inferences/{}/results", self.id), query=query)
        return (yield from self._ask(request, dict[str, Any]))


class Jobs(Room[S]):
    @operation
    def price(
        self,
        dataset: str,
        *,
        model: str | None = None,
        version: str | None = None,
        parameters: How | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 the parameter's name in the API
    ) -> Plan[Quote]:
        """What `start` would cost and take. Nothing is created."""
        wanted = _wanted(dataset, model, version, parameters, filter, dry_run=True)
        return (yield from self._ask(Request("POST", place("/inferences"), json=wanted, may_repeat=True), Quote))

    @operation
    def start(
        self,
        dataset: str,
        *,
        model: str | None = None,
        version: str | None = None,
        parameters: How | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 the parameter's name in the API
        priority: int | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> "Plan[Job[S]]":
        """The whole price is held first; the end charges what was done. `filter`: group, from_index, to_index."""
        wanted = _wanted(dataset, model, version, parameters, filter, priority=priority, webhook=webhook)
        request = once(Request("POST", place("/inferences"), json=wanted), idempotency_key)
        told: Accepted = yield from self._ask(request, Accepted)
        return Job(self._sender, told.inference_id, told)

    def at(self, job_id: str) -> Job[S]:
        """A job that was ordered before; nothing is asked yet."""
        return Job(self._sender, job_id)

    @listing
    def list(self) -> Pages[Inference]:
        """Yours, the newest first."""
        return self._pages(place("/inferences"), Inference)


def _wanted(
    dataset: str,
    model: str | None,
    version: str | None,
    parameters: How | None,
    chosen: Mapping[str, Any] | None,
    **more: Any,
) -> dict[str, Any]:
    told = given(model=model, version=version, parameters=parameters, filter=chosen, **more)
    return {"dataset": dataset, **told}
