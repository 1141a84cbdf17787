"""What can go wrong while looking at a picture, as sentences that a person can act on."""

from typing import ClassVar


class VisionError(Exception):
    """Anything the eye refuses or fails to do. `detail` is safe to show: it never holds a path or a foreign message."""

    code: ClassVar[str] = "vision-failed"
    title: ClassVar[str] = "The eye could not do this"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title


class TooBig(VisionError):
    """Too large in any measure: bytes, pixels, sides, frames, duration."""

    code = "too-large"
    title = "This is larger than the limits allow"


class UnknownKind(VisionError):
    """The bytes are of a kind that is not accepted."""

    code = "unsupported-kind"
    title = "This kind of file is not accepted"


class BadContent(VisionError):
    """The right kind, but broken or forbidden inside."""

    code = "broken-content"
    title = "This file is broken"


class PictureTooBig(TooBig):
    code = "picture-too-large"
    title = "The picture is too large"


class NotAPicture(UnknownKind):
    code = "not-a-picture"
    title = "These bytes are no picture that Retinue reads"


class BrokenPicture(BadContent):
    code = "broken-picture"
    title = "The picture is broken"


class BadMask(BadContent):
    code = "bad-mask"
    title = "The mask does not fit"


class MaskNeeded(BadContent):
    code = "mask-needed"
    title = "Inpainting needs a mask beside the picture"


class VideoTooBig(TooBig):
    code = "video-too-large"
    title = "The video is too large"


class NotAVideo(UnknownKind):
    code = "not-a-video"
    title = "These bytes are no video that Retinue reads"


class BrokenVideo(BadContent):
    code = "broken-video"
    title = "The video is broken"


class ModelRefused(BadContent):
    """A model file that cannot be served, with the sentence that says why."""

    code = "model-refused"
    title = "The model cannot be served"


class NotAModel(UnknownKind):
    code = "not-a-model"
    title = "This file is no ONNX model"


class ModelTooBig(TooBig):
    code = "model-too-large"
    title = "The model is too large"


class ExternalDataRefused(ModelRefused):
    code = "model-external-data"
    title = "The model keeps weights outside its own package"


class UnsupportedOperator(ModelRefused):
    code = "unsupported-operator"
    title = "The model uses an operator that Retinue does not run"


class FactsMissing(ModelRefused):
    """The file does not say everything; `missing` names what the person has to say."""

    code = "model-facts-missing"
    title = "The model file does not say everything that is needed"

    def __init__(self, detail: str, *, missing: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.missing = missing


class BadTensors(VisionError):
    """Arrays that the network's graph does not take."""

    code = "tensors-do-not-fit"
    title = "These tensors do not fit the model"


class ModelFailed(VisionError):
    """The network itself failed on this input."""

    code = "model-failed"
    title = "The model failed on this picture"


class NoSuchModel(VisionError):
    code = "no-such-model"
    title = "There is no model of this name"


class NoTensors(NoSuchModel):
    """It answers pictures, but has no graph that takes arrays."""

    code = "no-tensors"
    title = "This model has no tensors to speak of"


class NoSuchClass(BadContent):
    code = "no-such-class"
    title = "The model knows no class of this name"


class NoHeatMap(BadContent):
    code = "no-heat-map"
    title = "This model cannot be explained in this way"


class EyeIsFull(VisionError):
    """Refused at once, because waiting would take longer than the caller has."""

    code = "eye-is-full"
    title = "The model has more work waiting than it can do in time"

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class DeadlinePassed(VisionError):
    code = "deadline-passed"
    title = "The answer would have come too late"
