"""Clients that others wrote, unmodified and in an environment of their own, against a running Retinue."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import onnx
import pytest

from bench.server import Served, serving
from tests.pictures import photograph
from tests.servers.environments import environment_of
from tests.vision.exports import plain

pytestmark = pytest.mark.slow
MODELS: dict[str, tuple[onnx.ModelProto, dict[str, str]]] = {
    "eight-bits": (plain.keras_classifier(rescaling=True, dtype="uint8"), {"task": "classify"}),
    "halves": (plain.torchvision_classifier(dtype="float16"), {"task": "classify"}),
    "finder": (plain.torchvision_detector(), {"task": "detect"}),
}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as served, httpx2.Client(base_url=served.address, timeout=240) as http:
        token = {"Authorization": f"Bearer {served.sign_in()}"}
        for name, (model, told) in MODELS.items():
            facts = {"name": name, "labels": "red\ngreen\nblue", **told}
            file = {"file": ("model.onnx", model.SerializeToString())}
            added = http.post("/api/v1/models", files=file, data=facts, headers=token)
            assert added.status_code == 201, added.text
        yield served


def run(script: str, *arguments: str) -> None:
    python = environment_of("oip-clients") / "python"
    file = Path(__file__).with_name(script)
    command = [python, "-I", file, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_tritonclient(served: Served, tmp_path: Path) -> None:
    picture = tmp_path / "coffee.jpg"
    picture.write_bytes(photograph("coffee"))
    run("asking_with_tritonclient.py", served.address, served.rich_person("triton"), served.sign_in(), str(picture))


def test_the_kserve_client(served: Served) -> None:
    run("asking_with_kserve.py", served.address, served.rich_person("kserve"))
