"""MLServer with one of our networks, in an environment of its own: a server of the protocol that others wrote."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.servers.environments import environment_of
from tests.servers.processes import free_port, kill, start_on_leash, wait_until

NAME = "efficientnet-lite0"
HERE = Path(__file__).parent


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/v2/models/{NAME}/ready", timeout=10).is_success
    except httpx2.HTTPError:
        return False


@contextmanager
def running(command: list[str | Path], folder: Path, url: str, **environment: str) -> Iterator[str]:
    log = folder / "log"
    path = {"PATH": os.environ["PATH"], "HOME": str(folder), **environment}
    process = start_on_leash(command, folder=folder, log=log, environment=path)
    try:
        wait_until(lambda: answers(url), process=process, log=log, name=str(command[0]), patience_s=240)
        yield url
    finally:
        kill(process)


@contextmanager
def mlserver(weights: Path, folder: Path) -> Iterator[str]:
    shutil.copytree(HERE / "mlserver_model", folder, dirs_exist_ok=True)
    told = {"name": NAME, "implementation": "onnx_model.OnnxModel", "parameters": {"uri": str(weights)}}
    (folder / "model-settings.json").write_text(json.dumps(told))
    port, *others = (free_port() for _ in range(3))
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": others[0], "metrics_port": others[1]}
    (folder / "settings.json").write_text(json.dumps({**settings, "parallel_workers": 0, "debug": False}))
    programs = environment_of("mlserver")
    command: list[str | Path] = [programs / "mlserver", "start", folder]
    with running(command, folder, f"http://127.0.0.1:{port}", PYTHONPATH=str(folder)) as url:
        yield url
