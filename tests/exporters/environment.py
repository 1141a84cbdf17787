"""The environment of the real export tools: torch and what is built on it, apart from our own, kept between runs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-exporters"
# Ultralytics and timm want torchvision, which transformers must not see: PyPI's does not load beside a CPU torch.
APART = FOLDER / "with-torchvision"

TOGETHER = [
    "torch==2.13.0",
    "transformers==5.23.0",
    "onnx==1.23.2",
    "onnxruntime==1.31.1",
    "opencv-python-headless",
    "pillow",
    "pyyaml",
    "requests",
    "psutil",
    "matplotlib",
    "scipy",
    "polars",
]
WITH_TORCHVISION = ["ultralytics==8.4.190", "timm==1.0.31", "torchvision==0.28.0"]


def prepare() -> None:
    """Install once; a stamp with the versions says that it is done."""
    stamp, wanted = FOLDER / "ready", "\n".join([*TOGETHER, *WITH_TORCHVISION])
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    _run([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *TOGETHER])
    _run([*pip, "--no-deps", "--target", str(APART), *WITH_TORCHVISION])
    stamp.write_text(wanted)


def run_script(name: str, *arguments: str, at: Path) -> None:
    """One of the export scripts beside this file, in an empty folder and without leave to install or to phone home."""
    paths = [str(Path(__file__).parent)] + ([] if name == "export_with_transformers.py" else [str(APART)])
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(at),
        "PYTHONPATH": os.pathsep.join(paths),
        "YOLO_CONFIG_DIR": str(at),
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "HF_HUB_OFFLINE": "1",
    }
    python = str(FOLDER / "bin" / "python")
    _run([python, str(Path(__file__).with_name(name)), *arguments], cwd=at, env=environment)


def _run(command: list[str], **how: object) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{' '.join(command[:4])} …\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
