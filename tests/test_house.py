"""The house tests itself: its walls, its single doors, its words."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import retinue

ROOT = Path(retinue.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))

# What may be done in one place only: the call, and the modules that may.
SINGLE_DOORS: dict[str, set[str]] = {
    "Image.open": {"vision/images.py"},
    "av.open": {"vision/video.py", "vision/video_child.py"},
    "zipfile.ZipFile": {"media/archives.py", "vision/importing/source.py"},
    "onnxruntime.InferenceSession": {"vision/model.py"},
    "jwt.decode": {"accounts/tokens.py"},
    "httpcore2.AsyncConnectionPool": {"base/fetching.py"},
    "hmac.new": set(),
    "subprocess.Popen": {"vision/contained.py"},
    "subprocess.run": set(),
    "onnx.load": {"vision/feature_graph.py", "vision/importing/weights.py"},
    "jwt.encode": {"accounts/tokens.py"},
    # The client speaks to its server, the eye elsewhere to addresses of a setting; people's addresses go by fetching.
    "httpx2.Client": {"client/sending.py", "protocol/remote_eye.py"},
    "httpx2.AsyncClient": {"client/sending.py"},
    # What a browser is given as HTML is escaped by one environment; only two words of it are made by hand.
    "jinja2.Environment": {"web/pages/drawing.py"},
    "HTMLResponse": {"web/pages/drawing.py"},
    "Markup": {"web/pages/wording.py"},
    ".set_cookie": {"accounts/browsers.py", "web/pages/signing_in.py", "web/pages/language.py"},
}
FORBIDDEN_MODULES: dict[str, set[str]] = {
    "pickle": {"vision/builtin/torch_file.py"},
    "requests": set(),
    "httpx": set(),
    "joblib": set(),
    "torch": set(),
    "yaml": set(),
    "urllib.request": set(),
}
FORBIDDEN_CALLS = {"eval", "exec", "extractall", "np.load", "register_custom_ops_library"}
# Words that escape nothing, handlers in attributes, and scripts in the page that are no data.
UNESCAPED = re.compile(
    r"\|\s*safe\b|autoescape\s+false|\bon[a-z]+\s*=\s*[\"']|<script(?!\b[^>]*( src=| type=.application/json.))"
)
CLOCK_CALLS = {"datetime.now", "datetime.utcnow", "time.time"}
# The rate limiter's windows and the age of a draft on a disk are of the system's clock, whatever a test says.
ASK_THE_SYSTEM = {"base/clock.py", "accounts/rates.py", "base/leftovers.py"}


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_dangerous_things_are_done_in_their_one_place(file: Path) -> None:
    place = file.relative_to(ROOT).as_posix()
    tree = ast.parse(file.read_text("utf-8"))
    for call in calls(tree):
        for name in (call, "." + call.rsplit(".", 1)[-1]):
            assert place in SINGLE_DOORS.get(name, {place}), f"{call} belongs into {SINGLE_DOORS[name]}"
        assert {call, call.rsplit(".", 1)[-1]}.isdisjoint(FORBIDDEN_CALLS), call
        if call in CLOCK_CALLS:
            assert place in ASK_THE_SYSTEM, f"{call}: time comes from the injected clock"
    for module in imports(tree):
        for name, allowed in FORBIDDEN_MODULES.items():
            is_it = module == name or module.startswith(name + ".")
            assert not is_it or place in allowed, f"{module} is not imported here"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_says_in_its_first_line_what_it_decides(file: Path) -> None:
    words = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    assert words, "no docstring"


def test_templates_escape_everything() -> None:
    for template in (ROOT / "web" / "templates").rglob("*.*"):
        words = template.read_text("utf-8")
        assert not UNESCAPED.search(words), template.name


def test_only_settings_read_the_environment() -> None:
    """And, on the machine of a client, what says which server is meant. The eye only writes there, for its runtime."""
    readers = {
        file.relative_to(ROOT).as_posix()
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
    }
    assert readers <= {"base/settings.py", "client/profiles.py", "vision/__init__.py"}


def test_the_eye_works_without_web_and_database() -> None:
    code = (
        "import sys\n"
        "for name in ('fastapi', 'starlette', 'sqlalchemy', 'uvicorn'): sys.modules[name] = None\n"
        "import retinue.vision, retinue.vision.engine, retinue.vision.importing, retinue.vision.intake\n"
        "import retinue.vision.drawing, retinue.vision.saliency, retinue.vision.video\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_light_client_starts_without_the_server() -> None:
    code = (
        "import sys\n"
        "for name in ('fastapi', 'sqlalchemy', 'numpy', 'onnxruntime'): sys.modules[name] = None\n"
        "from retinue.cli.main import app\n"
        "for words in ('', 'predict', 'model list', 'dataset push', 'job run', 'login'):\n"
        "    app([*words.split(), '--help'])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "predict" in told.stdout


def test_the_sdk_needs_only_the_light_install() -> None:
    code = (
        "import sys\n"
        "for name in ('fastapi', 'starlette', 'sqlalchemy', 'numpy', 'PIL', 'orjson'): sys.modules[name] = None\n"
        "from retinue.client import AsyncClient, Client\n"
        "Client('http://127.0.0.1:1', key='k').close()\n"
        "assert not [name for name in sys.modules if name.startswith('retinue.') and 'client' not in name]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_walls_stand() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run([linter, "--no-cache"], cwd=ROOT.parent.parent, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
