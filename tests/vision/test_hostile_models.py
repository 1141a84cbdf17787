"""Model files from anywhere: what is made to harm is refused with a sentence, what merely looks odd is served."""

from pathlib import Path

import pytest

from retinue.vision.errors import VisionError
from retinue.vision.importing import import_model
from retinue.vision.intake import Limits, take_in, try_out
from tests.corpus.model_graphs import SECRET
from tests.corpus.models import BENIGN, HOSTILE, Benign, Hostile

IMPORTED = [hostile for hostile in HOSTILE if hostile.falls == "import"]
TRIED = [hostile for hostile in HOSTILE if hostile.falls == "trial"]


def handed_in(made: Hostile | Benign, at: Path) -> Path:
    folder = at / "handed-in"
    folder.mkdir()
    return made.make(folder)


def says_no_secret(failure: VisionError, at: Path) -> bool:
    words = " ".join((failure.detail, str(failure)))
    return str(at) not in words and "/" not in words.replace(" / ", "") and "CANARY" not in words and bool(words)


class TestHostileModels:
    @pytest.mark.parametrize("hostile", IMPORTED, ids=lambda one: one.name)
    def test_are_refused_before_any_session_is_opened(self, hostile: Hostile, tmp_path: Path) -> None:
        source = handed_in(hostile, tmp_path)

        with pytest.raises(hostile.expected) as refusal:
            import_model(source, tmp_path / "package")

        assert says_no_secret(refusal.value, tmp_path)
        assert not (tmp_path / "package").exists()
        assert not Path("retinue-was-here").exists()

    @pytest.mark.parametrize("hostile", TRIED, ids=lambda one: one.name)
    def test_are_refused_by_the_trial_run(self, hostile: Hostile, tmp_path: Path) -> None:
        package = import_model(handed_in(hostile, tmp_path), tmp_path / "package")

        with pytest.raises(hostile.expected) as refusal:
            try_out(package, limits=Limits(seconds=4))

        assert says_no_secret(refusal.value, tmp_path)

    @pytest.mark.parametrize("benign", BENIGN, ids=lambda one: one.name)
    def test_have_twins_that_are_served(self, benign: Benign, tmp_path: Path) -> None:
        package, report = take_in(handed_in(benign, tmp_path), tmp_path / "package")

        assert report.ok
        assert len(package.labels) == benign.labels
        assert sorted(file.name for file in package.folder.iterdir()) == ["manifest.json", "model.onnx"]
        assert SECRET not in (package.folder / "model.onnx").read_bytes()
