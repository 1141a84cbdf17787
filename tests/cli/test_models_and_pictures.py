"""The hand: pictures and models on the command line, without a server."""

import json
from pathlib import Path

import pytest

from retinue.base.errors import RetinueError
from retinue.cli.main import app
from retinue.vision.errors import FactsMissing
from tests.pictures import mask, photograph
from tests.vision.exports import plain, ultralytics
from tests.vision.exports.graphs import save


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, builtin_models: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETINUE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("retinue.vision.opening.default_cache", lambda: builtin_models, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("RETINUE_SERVER", raising=False)
    shelf = tmp_path / "data" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin_models)


@pytest.fixture
def cup(tmp_path: Path) -> Path:
    file = tmp_path / "cup.jpg"
    file.write_bytes(photograph("coffee"))
    return file


def run(*words: object) -> int:
    code: int = app([str(word) for word in words], exit_on_error=False)
    return code


class TestPredict:
    def test_it_says_what_it_sees(self, cup: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("predict", cup) == 0
        told = capsys.readouterr().out
        assert "cup.jpg  600 × 400" in told
        assert "0.95  espresso" in told

    def test_as_json_on_standard_output(self, cup: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run("predict", cup, "--json", "--top-k", 2)
        told = json.loads(capsys.readouterr().out)
        assert [one["label"] for one in told["classes"]] == ["espresso", "cup"]

    def test_one_bad_picture_is_said_and_the_rest_are_looked_at(
        self, cup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "notes.txt").write_text("hello")
        assert run("predict", tmp_path / "notes.txt", tmp_path / "gone.jpg", cup) == 1
        told = capsys.readouterr()
        assert "espresso" in told.out
        assert "notes.txt: Only JPEG" in told.err
        assert "gone.jpg: No such file" in told.err

    def test_the_drawn_answer_is_saved_beside(self, cup: Path, tmp_path: Path) -> None:
        run("predict", cup, "--save", tmp_path / "out")
        assert (tmp_path / "out" / "cup-annotated.jpg").read_bytes()[:2] == b"\xff\xd8"

    def test_inpainting_needs_its_mask(self, cup: Path, tmp_path: Path) -> None:
        (tmp_path / "mask.png").write_bytes(mask(600, 400))
        assert run("predict", cup, "--model", "inpaint-telea") == 1
        code = run("predict", cup, "--model", "inpaint-telea", "--mask", tmp_path / "mask.png", "--save", tmp_path)
        assert (code, (tmp_path / "cup-inpainted.png").exists()) == (0, True)

    def test_nothing_asked_is_wrong_usage(self) -> None:
        assert run("predict") == 2


class TestModels:
    def test_from_a_file_to_a_roll_back(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = save(ultralytics.detector(), tmp_path / "tools.onnx")
        assert run("model", "add", file) == 0
        assert "wrench" in capsys.readouterr().out
        run("model", "add", file)
        run("model", "activate", "tools", "2", "--reason", "trying")
        capsys.readouterr()
        run("model", "show", "tools", "--json")
        assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["active", "ready"]
        run("model", "activate", "tools", "1", "--reason", "back")
        run("model", "retire", "tools", "2")
        capsys.readouterr()
        run("model", "list", "--json")
        told = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
        assert told["tools"]["version"] == "1"
        assert told["efficientnet-lite0"]["licence"] == "Apache-2.0"

    def test_what_is_missing_is_asked_for(self, tmp_path: Path) -> None:
        file = save(plain.torchvision_classifier(), tmp_path / "plain.onnx")
        with pytest.raises(FactsMissing, match="labels"):
            run("model", "add", file)

    def test_an_address_on_this_machine_is_refused(self) -> None:
        with pytest.raises(RetinueError):
            run("model", "add", "https://127.0.0.1/model.onnx")


class TestSettings:
    def test_they_are_told_with_their_origin(self, capsys: pytest.CaptureFixture[str]) -> None:
        run("settings", "--json")
        told = {line["name"]: line for line in json.loads(capsys.readouterr().out)}
        assert told["RETINUE_DATA_DIR"]["origin"] == "environment"

    def test_the_schema_is_told_after_migrating(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("migrate") == 0
        assert capsys.readouterr().out.startswith("0")


def test_a_model_is_tuned_where_the_server_will_run_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setenv("RETINUE_PROVIDERS", "cuda")
    with pytest.raises(RetinueError, match="cannot run networks on cuda"):
        run("model", "tune", "efficientnet-lite0", "--seconds", "0.2")
    monkeypatch.setenv("RETINUE_PROVIDERS", "cpu")
    assert run("model", "tune", "efficientnet-lite0", "--seconds", "0.2") == 0
    assert json.loads(capsys.readouterr().out)["shape"]["lanes"] >= 1
