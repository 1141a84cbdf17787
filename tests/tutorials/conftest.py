"""What a reader of the pages has: a server of their own, a folder with the files that the pages talk about, people."""

import io
import logging
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import structlog
from PIL import Image

import retinue
from retinue.base.settings import Settings
from retinue.client import Client
from tests.accounts.people import PASSWORD
from tests.client.conftest import settings_in
from tests.client.served import Served, serving
from tests.corpus.archives import zipped
from tests.corpus.videos import film
from tests.pictures import drawn, mask, photograph
from tests.vision.exports.ultralytics import detector

EXAMPLES = Path(retinue.__file__).parent / "web" / "static" / "examples"


@pytest.fixture
def own_server(tmp_path: Path, builtin_models: Path) -> Iterator[Served]:
    with serving(settings_in(tmp_path, builtin_models)) as served:
        yield served


@pytest.fixture
def folder(own_server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages talk about lies here, and commands of this machine work on the server's house."""
    place = tmp_path / "reader"
    for name in ("photos", "usual"):
        (place / name).mkdir(parents=True)
    for name, data in [
        ("coffee.jpg", photograph("coffee")),
        ("cat.jpg", photograph("chelsea")),
        ("bench.jpg", drawn(5, width=320, height=320)),
        ("toolkit.jpg", (EXAMPLES / "toolkit.jpg").read_bytes()),
        ("photos/a.jpg", drawn(1)),
        ("photos/b.jpg", drawn(2)),
        ("more.zip", zipped(("c.jpg", drawn(3)))),
        ("scratched.png", as_png(drawn(4))),
        ("scratched_mask.png", mask(64, 48)),
        ("belt.mp4", film()),
        ("belt_mask.png", mask(96, 64)),
        *((f"usual/{number}.jpg", drawn(number)) for number in range(8)),
        ("parts.onnx", detector().SerializeToString()),
    ]:
        (place / name).write_bytes(data)
    monkeypatch.chdir(place)
    forget_settings(monkeypatch)
    monkeypatch.setenv("RETINUE_DATA_DIR", str(own_server.settings.data_dir))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return place


def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(f"RETINUE_{field.upper()}" for field in Settings.model_fields), "RETINUE_SERVER", "RETINUE_KEY"]:
        monkeypatch.delenv(name, raising=False)


def as_png(data: bytes) -> bytes:
    out = BytesIO()
    Image.open(BytesIO(data)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def _quiet() -> Iterator[None]:
    """The server lives in this process, and would print its log among the answers."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def _people(own_server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann asks, Carl hands out kits, Bob takes them, Root is the admin; whoever types a password types the same."""
    own_server.person("ann@example.com")
    own_server.person("root@example.com", role="admin")
    own_server.person("carl@example.com", role="operator")
    with Client(own_server.address, email="root@example.com", password=PASSWORD) as root:
        root.admin.users.add(email="bob@example.com", password=PASSWORD, employee_number="4711")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n" * 10))
