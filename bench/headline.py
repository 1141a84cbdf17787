"""Ten people, thirty seconds, by Locust: one API process with one and with three workers, with and without pauses.

    python -m bench.headline [--seconds 30] [--page deploy/load/README.md]

Locust lives in an environment of its own (.venv-locust). The HTML reports are left in artefacts/load.
"""

import argparse
import csv
import os
import platform
import re
import subprocess
import sys
import tempfile
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.pictures import jpegs
from bench.server import Served, serving
from tests.servers.processes import free_port, start_on_leash, stop, wait_until

CHECKOUT = Path(__file__).parents[1]
LOAD = CHECKOUT / "deploy" / "load"
REPORTS = CHECKOUT / "artefacts" / "load"
THEIR_PAUSE_S = 2.9  # 10 users, 3.2 requests/s: 10 / 3.2 less a quarter of a second
TABLE = re.compile(r"(<!-- Written by `make headline`.*?-->\n).*?(<!-- until here -->)", re.DOTALL)


@dataclass(frozen=True)
class Figure:
    workers: int
    pause_s: float
    per_second: float
    p50_ms: float
    p95_ms: float
    failures: int


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=30)
    asked.add_argument("--page", type=Path, default=LOAD / "README.md")
    given = asked.parse_args()
    programs = _locust()
    figures = [
        measure(programs, workers=workers, pause_s=pause_s, seconds=given.seconds)
        for workers in (1, 3)
        for pause_s in (THEIR_PAUSE_S, 0.0)
    ]
    text = given.page.read_text("utf-8")
    given.page.write_text(
        TABLE.sub(lambda found: found[1] + _table(figures, seconds=given.seconds) + found[2], text), "utf-8"
    )
    return 1 if any(figure.failures for figure in figures) else 0


def measure(programs: Path, *, workers: int, pause_s: float, seconds: float) -> Figure:
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"{workers}-workers-{'with' if pause_s else 'without'}-pauses"
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as until_done:
        folder = Path(temporary)
        (folder / "picture.jpg").write_bytes(jpegs(1, width=640, height=480)[0])
        ports = [free_port() for _ in range(workers)]
        eyes = ",".join(f"http://127.0.0.1:{port}" for port in ports)
        server = until_done.enter_context(serving(folder, eye_url=eyes, rate_limit="1000000", rate_burst="100000"))
        for port in ports:
            until_done.enter_context(_worker(folder, port))
        key = server.rich_person("locust")
        _warm(server, key, (folder / "picture.jpg").read_bytes(), asks=4 * workers)
        environment = {
            **os.environ,
            "LOAD_KEY": key,
            "LOAD_PICTURE": str(folder / "picture.jpg"),
            "LOAD_STEPS": "10",
            "LOAD_SECONDS": str(seconds),
            "LOAD_PAUSE": str(pause_s),
        }
        command: list[str | Path] = [programs / "locust", "-f", LOAD / "locustfile.py", "--headless", "--only-summary"]
        command += ["--host", server.address, "--html", f"{report}.html", "--csv", str(report)]
        subprocess.run(command, env=environment, check=False)  # 1 where a request failed: that is a figure
    with Path(f"{report}_stats.csv").open(encoding="utf-8") as file:
        total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    return Figure(
        workers,
        pause_s,
        float(total["Requests/s"]),
        float(total["50%"]),
        float(total["95%"]),
        int(total["Failure Count"]),
    )


def _warm(server: Served, key: str, picture: bytes, *, asks: int) -> None:
    """Every worker has loaded the model before anybody is timed."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "image/jpeg"}
    for _ in range(asks):
        request = urllib.request.Request(f"{server.address}/api/v1/predict?cache=false", picture, headers)
        urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def _worker(folder: Path, port: int) -> Iterator[None]:
    """Beside the server, in its own folder: the same secret, the same database."""
    log = folder / f"worker-{port}.log"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RETINUE_")},
        "RETINUE_DATA_DIR": str(folder / "data"),
    }
    command: list[str | Path] = [sys.executable, "-m", "retinue.cli.main", "worker", "--eye-port", str(port)]
    process = start_on_leash(command, folder=folder, log=log, environment=environment)
    try:
        wait_until(lambda: "takes" in log.read_text(), process=process, log=log, name="worker", patience_s=120)
        yield
    finally:
        stop(process)


def _locust() -> Path:
    home = CHECKOUT / ".venv-locust"
    if not (home / "bin" / "locust").exists():
        venv.create(home, with_pip=True)
        pip = [home / "bin" / "python", "-I", "-m", "pip", "install", "--quiet", "-r", LOAD / "requirements.txt"]
        subprocess.run(pip, check=True)
    return home / "bin"


def _table(figures: Sequence[Figure], *, seconds: float) -> str:
    lines = ["| 10 users | requests/s | half within | 95 of 100 within | failed |", "|---|---|---|---|---|"]
    lines.append("| the service before, with pauses | 3.2 | | 230–280 ms | |")
    for one in figures:
        workers = "one worker" if one.workers == 1 else f"{one.workers} workers"
        pauses = f"pauses of {one.pause_s:g} s" if one.pause_s else "no pauses"
        took = f"{one.p50_ms:.0f} ms | {one.p95_ms:.0f} ms"
        lines.append(f"| {workers}, {pauses} | {one.per_second:.1f} | {took} | {one.failures} |")
    when = datetime.now(UTC).date()
    lines += ["", f"{seconds:g} s each, on {os.cpu_count()} processors ({platform.machine()}), {when}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
