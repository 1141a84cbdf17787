"""Where networks run: the words of our settings, and what onnxruntime calls them."""

from collections.abc import Sequence

from retinue.vision.errors import ModelRefused

ON_PROCESSORS = ("CPUExecutionProvider",)
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}


class CannotRunThere(ModelRefused):
    code = "cannot-run-there"
    title = "ONNX Runtime cannot run networks there"


def providers_of(words: Sequence[str]) -> tuple[str, ...]:
    """In onnxruntime's own words. The processor comes last: it takes what the others cannot."""
    if not words:
        return ON_PROCESSORS
    import onnxruntime

    installed = onnxruntime.get_available_providers()
    for word in words:
        if PROVIDERS[word] not in installed:
            able = ", ".join(name for name, provider in PROVIDERS.items() if provider in installed)
            raise CannotRunThere(
                f"The installed ONNX Runtime cannot run networks on {word}, only on: {able}. Install onnxruntime-gpu "
                "or onnxruntime-openvino in place of onnxruntime, or change RETINUE_PROVIDERS."
            )
    return tuple(dict.fromkeys((*(PROVIDERS[word] for word in words), *ON_PROCESSORS)))


def check_first_choice(chosen: Sequence[str], taken: Sequence[str]) -> None:
    """onnxruntime falls back to the processor in silence where a driver or a library of the first choice is missing."""
    if chosen[0] not in taken:
        raise CannotRunThere(
            f"{chosen[0]} was asked for, and ONNX Runtime took {taken[0]}: a driver or a library of it is missing."
        )
