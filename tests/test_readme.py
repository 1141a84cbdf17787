"""The README is true: a stranger's first blocks, copied as they stand, against a server that was just started."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pictures import photograph
from tests.servers.processes import wait_until

README = Path(__file__).parents[1] / "README.md"
HERE = "http://127.0.0.1:8000"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "coffee.jpg").write_bytes(photograph("coffee"))
    return folder


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "COLUMNS": "200",
        "RETINUE_DATA_DIR": str(folder / "data"),
        "RETINUE_LOG_LEVEL": "warning",
    }


@pytest.fixture(scope="module")
def address(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    log = folder / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [BIN / "retinue", "up", "--port", "0"], env=environment, cwd=folder, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: "serves on" in log.read_text(), process=server, log=log, name="server", patience_s=240)
        greeted = re.search(r"serves on (http://\S+)", log.read_text())
        assert greeted is not None
        yield greeted[1]
    finally:
        server.terminate()
        server.wait(60)


def block(beginning: str) -> str:
    """The block that begins so."""
    (found,) = re.findall(rf"^```(?:bash|python)\n({re.escape(beginning)}.*?)^```$", README.read_text(), re.M | re.S)
    return str(found)


@pytest.mark.slow
class TestAStranger:
    """In the order of the page: the first block makes the account that the others use."""

    @pytest.fixture
    def run(self, folder: Path, environment: dict[str, str], address: str):
        def run(*command: str, typed: str = "") -> str:
            words = [word.replace(HERE, address) for word in command]
            done = subprocess.run(
                words,
                env=environment,
                cwd=folder,
                input=typed,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        return run

    def test_asks_with_curl(self, run) -> None:
        assert '"predicted_class":"espresso"' in run("bash", "-ec", block("URL="))

    def test_asks_from_python(self, run) -> None:
        assert run(str(BIN / "python"), "-c", block("from retinue.client")).strip() == "espresso"

    def test_asks_by_command(self, run) -> None:
        assert "espresso" in run("bash", "-ec", block("retinue login"), typed="marmalade-tractor-9\n")

    def test_looks_without_a_server(self, run) -> None:
        assert run(str(BIN / "python"), "-c", block("from retinue.vision")).strip() == "espresso"
        assert "espresso" in run("retinue", "predict", "coffee.jpg", "--here")
