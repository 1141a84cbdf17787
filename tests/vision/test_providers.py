"""Where networks run: asked for in our words, refused where it cannot be."""

from importlib.metadata import PackageNotFoundError

import onnxruntime
import pytest

from retinue import assembly
from retinue.base.settings import BadSettings, Settings
from retinue.vision import machine
from retinue.vision.providers import CannotRunThere, check_first_choice, providers_of

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def test_nothing_said_means_the_processor() -> None:
    assert providers_of([]) == providers_of(["cpu"]) == (CPU,)


def test_the_processor_comes_last_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["TensorrtExecutionProvider", CUDA, CPU])
    assert providers_of(["tensorrt", "cuda"]) == ("TensorrtExecutionProvider", CUDA, CPU)
    assert providers_of(["cuda", "cpu"]) == (CUDA, CPU)


def test_what_is_not_installed_is_refused_with_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(CannotRunThere, match="cannot run networks on cuda, only on: cpu"):
        providers_of(["cuda"])


def test_a_fall_back_is_no_silent_one() -> None:
    check_first_choice((CUDA, CPU), [CUDA, CPU])
    with pytest.raises(CannotRunThere, match="a driver or a library of it is missing"):
        check_first_choice((CUDA, CPU), [CPU])


def test_receipts_name_whichever_runtime_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name != "onnxruntime-openvino":
            raise PackageNotFoundError(name)
        return "1.24.1"

    monkeypatch.setattr(machine, "version", version)
    assert machine.runtime.__wrapped__() == ("onnxruntime-openvino", "1.24.1")


def test_the_house_does_not_open_its_eye_where_it_cannot(
    house: assembly.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    house.settings = house.settings.model_copy(update={"providers": ["cuda"]})
    with pytest.raises(BadSettings, match="RETINUE_PROVIDERS"):
        assembly.eye_of(house)


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'cpu', 'openvino', 'cuda' or 'tensorrt'"):
        Settings(providers="gpu")
