"""What goes to PyPI is whole: built, installed into an empty environment, started, and asked."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import httpx2
import pytest

import retinue
from tests.pictures import photograph
from tests.servers.processes import wait_until

HOUSE = Path(retinue.__file__).parent
REPOSITORY = HOUSE.parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel made of it, as a release has them."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in an environment of its own; its dependencies are borrowed from ours, our own code is not."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)],
        check=True,
        capture_output=True,
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    borrowed = folder / "lib" / version / "site-packages" / "borrowed.pth"
    borrowed.write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


def files_of_the_house() -> set[str]:
    found = (file for file in HOUSE.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(HOUSE.parent).as_posix() for file in found}


@pytest.mark.slow
def test_the_wheel_and_the_sdist_hold_every_file_of_the_house(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    (sdist,) = built.glob("*.tar.gz")
    assert files_of_the_house() <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        names = {name.partition("/src/")[2] for name in archive.getnames()}
    assert files_of_the_house() <= names


@pytest.mark.slow
def test_an_installed_wheel_starts_and_answers(installed: Path, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "RETINUE_DATA_DIR": str(tmp_path / "data"),
        "RETINUE_ADMIN_EMAIL": "ann@example.com",
        "RETINUE_ADMIN_PASSWORD": "marmalade-tractor-9",
    }
    place = subprocess.run(
        [installed / "bin" / "python", "-c", "import retinue; print(retinue.__file__)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert place.startswith(str(installed))
    log = tmp_path / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [installed / "bin" / "retinue", "up", "--port", "0"], env=environment, cwd=tmp_path, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: "serves on" in log.read_text(), process=server, log=log, name="server", patience_s=240)
        greeted = re.search(r"serves on (http://\S+)", log.read_text())
        assert greeted is not None
        address = greeted[1]
        with httpx2.Client(base_url=address, timeout=240) as http:
            form = {"username": "ann@example.com", "password": "marmalade-tractor-9"}
            token = http.post("/api/v1/token", data=form).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = http.post("/api/v1/predict", files={"file": photograph("coffee")}, headers=headers)
            assert answer.json()["predicted_class"] == "espresso"
            assert "<form" in http.get("/login").text
            assert json.loads(http.get("/health").text)["status"] == "ok"
    finally:
        server.terminate()
        server.wait(60)
