"""What was asked before: predictions with their receipts, the pictures they were about, and the files behind links."""

from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from retinue.client.asking import Answer, Pages, Plan, Request, place
from retinue.client.pictures import Picture
from retinue.client.predicting import LOOK_S, Prediction
from retinue.client.rooms import Room, S, Told, listing, once, operation
from retinue.client.saving import saved


class Receipt(Told):
    """What made an answer."""

    weights_sha256: str
    package: str
    picture_sha256: str
    mask_sha256: str | None
    thresholds: dict[str, float]
    runtime: dict[str, str]


class RememberedPrediction(Prediction):
    user_id: str
    image_url: str
    receipt: Receipt


class Replay(Told):
    """`verdict`: equal, within tolerance or different."""

    verdict: str
    largest_difference: float | None
    prediction: Prediction


class Image(Told):
    image_id: str
    filename: str
    mime_type: str
    size_bytes: int
    width: int
    height: int
    sha256: str
    created_at: datetime
    url: str


class Predictions(Room[S]):
    @operation
    def get(self, prediction_id: str) -> Plan[RememberedPrediction]:
        return (yield from self._ask(Request("GET", place("/predictions/{}", prediction_id)), RememberedPrediction))

    @operation
    def annotated(self, prediction_id: str) -> Plan[Picture]:
        """The picture with its answer drawn on it."""
        answer = yield from self._settle(Request("GET", place("/predictions/{}/annotated", prediction_id)))
        return _picture(answer)

    @operation
    def replay(self, prediction_id: str, *, idempotency_key: str | None = None) -> Plan[Replay]:
        """Ask the same version the same question again and compare; costs a prediction."""
        request = Request("POST", place("/predictions/{}/replay", prediction_id), timeout_s=LOOK_S)
        return (yield from self._ask(once(request, idempotency_key), Replay))

    @operation
    def delete(self, prediction_id: str) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/predictions/{}", prediction_id)))

    @listing
    def list(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        label: str | None = None,
        source: str | None = None,
        feedback: Literal["right", "wrong", "any", "none"] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        user_id: str | None = None,
    ) -> Pages[Prediction]:
        """The newest first, to the very end. `feedback` is what was last said of it."""
        asked = {"model": model, "version": version, "label": label, "source": source, "user_id": user_id}
        asked["feedback"] = feedback
        times = {"from": since and since.isoformat(), "to": until and until.isoformat()}
        return self._pages(place("/predictions"), Prediction, among="predictions", **asked, **times)


class Images(Room[S]):
    @operation
    def get(self, image_id: str) -> Plan[Image]:
        return (yield from self._ask(Request("GET", place("/images/{}", image_id)), Image))

    @listing
    def list(self) -> Pages[Image]:
        """Originals of yours, the newest first."""
        return self._pages(place("/images"), Image)


class Media(Room[S]):
    """What signed links open. A link needs no credential, and is sent none."""

    @operation
    def open(self, url: str) -> Plan[Picture]:
        """`output_url`, `annotated_url`, `heatmap_url` or the `url` of an image."""
        answer = yield from self._settle(_linked(url))
        return _picture(answer)

    @operation
    def save(self, url: str, file: str | Path) -> Plan[Path]:
        """The same, straight into a file."""
        return (yield from saved(self, _linked(url), Path(file)))


def _linked(url: str) -> Request:
    """A link of this server, whichever name it calls itself by."""
    parts = urlsplit(url)
    return Request("GET", parts.path, is_signed=False)


def _picture(answer: Answer) -> Picture:
    return Picture(answer.body, answer.headers.get("content-type", "").split(";")[0])
