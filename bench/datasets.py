"""Taking a ZIP of pictures into a dataset, against unpacking and hashing the same ZIP with a plain script.

    python -m bench.datasets [--pictures 10000] [--rounds 3] [--size 640x480] [--megabytes 0]

Both begin with the archive on the disk and end with every picture on the disk. The server's time includes sending the
archive through HTTP, decoding every picture, checksums, syncs, rows and the charge; rounds alternate, and the figure is
the median of their ratios. With `--megabytes` a second archive of that size goes through a resumable upload, to see
what it takes in memory. Ends with 1 where a floor is missed.
"""

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.figures import Figure, give
from bench.pictures import jpegs
from bench.server import Served, serving

FLOOR = 0.5
MOST_GROWTH_BYTES = 150 << 20
MOST_LARGE_BYTES = 512 << 20  # of the process's own; pages of programs and files are the system's to take back
PIECE_BYTES = 64 << 20
DIFFERENT = 200  # pictures that are drawn; the others differ from them in their last bytes only


class Watch:
    """The most memory that a process has, looked at every 50 ms; `most_own` without pages of programs and files."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self.before = self.most = self.most_own = 0
        self._look()
        self.before = self.most
        self._thread = threading.Thread(target=self._look_on)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._over.wait(0.05):
            self._look()

    def _look(self) -> None:
        told = self._process.memory_info()
        self.most = max(self.most, int(told.rss))
        self.most_own = max(self.most_own, int(told.rss - told.shared))


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--pictures", type=int, default=10_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--size", default="640x480")
    asked.add_argument("--megabytes", type=int, default=0)
    told = asked.parse_args()
    width, height = map(int, told.size.split("x"))
    with tempfile.TemporaryDirectory() as temporary, serving(rate_limit="1000000") as served:
        folder, key = Path(temporary), served.rich_person("importer")
        archive = folder / "pictures.zip"
        _fill(archive, told.pictures, width=width, height=height)
        _import(served, key, archive, name="warm-up", dry_run=True)
        ratios, growth = [], 0
        for turn in range(told.rounds):
            plain_s = _plain(archive, folder / "plain")
            with Watch(served.process.pid) as watch:
                our_s = _import(served, key, archive, name=f"round-{turn}")
            ratios.append(plain_s / our_s)
            growth = max(growth, watch.most - watch.before)
            print(
                f"{told.pictures} pictures of {archive.stat().st_size / told.pictures / 1000:.0f} KB: "
                f"plain {told.pictures / plain_s:.0f}/s, ours {told.pictures / our_s:.0f}/s, ratio {ratios[-1]:.2f}, "
                f"memory {watch.before >> 20} → {watch.most >> 20} MiB",
                flush=True,
            )
        what = f"{told.pictures:,} pictures in one ZIP"
        figures = [
            Figure(what, round(median(ratios), 2), "× unpacking and hashing", FLOOR),
            Figure(f"memory for {what}", growth >> 20, "MiB more", MOST_GROWTH_BYTES >> 20, less_is_better=True),
        ]
        if told.megabytes:
            figures.append(_large(served, key, folder / "large.zip", told.megabytes << 20))
    return give("datasets", figures)


def _fill(place: Path, pictures: int, *, width: int, height: int) -> None:
    """Every picture is another one: bytes behind the end of a JPEG are ignored by all readers."""
    drawn = jpegs(min(pictures, DIFFERENT), width=width, height=height)
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(pictures):
            archive.writestr(f"group_{number % 7}/{number:06}.jpg", drawn[number % len(drawn)] + b"%08d" % number)


def _plain(archive: Path, folder: Path) -> float:
    began = time.perf_counter()
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            data = opened.read(info)
            hashlib.sha256(data).hexdigest()
            place = folder / info.filename
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    took = time.perf_counter() - began
    shutil.rmtree(folder)
    return took


def _import(served: Served, key: str, archive: Path, *, name: str, dry_run: bool = False) -> float:
    served.ask("POST", "/api/v1/datasets", {"name": name}, token=key)
    began = time.perf_counter()
    if dry_run:
        small = archive.with_name("small.zip")
        _fill(small, 20, width=320, height=240)
        archive = small
    report = _send_form(served, key, archive, f"/api/v1/datasets/{name}/items")["report"]
    took = time.perf_counter() - began
    assert not report["rejected"], report["rejected"][:3]
    assert not report["skipped"], report["skipped"][:3]
    return took


def _send_form(served: Served, key: str, file: Path, path: str) -> Any:
    mark = "a-line-that-is-in-no-picture"
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    ).encode()
    tail = f"\r\n--{mark}--\r\n".encode()

    def body() -> Any:
        yield head
        with file.open("rb") as opened:
            while piece := opened.read(1 << 20):
                yield piece
        yield tail

    request = urllib.request.Request(served.address + path, body(), method="POST")
    request.add_header("Content-Type", f"multipart/form-data; boundary={mark}")
    request.add_header("Content-Length", str(len(head) + file.stat().st_size + len(tail)))
    request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def _large(served: Served, key: str, place: Path, size: int) -> Figure:
    """Pictures of 20 MB that nothing compresses, through an upload that is cut at 60 %."""
    picture, dice = jpegs(1, width=640, height=480)[0], random.Random(7)
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for number in range(max(1, size // 20_000_000)):
            archive.writestr(f"{number:05}.jpg", picture + dice.randbytes(20_000_000 - len(picture)))
    size = place.stat().st_size
    served.ask("POST", "/api/v1/datasets", {"name": "large"}, token=key)
    with Watch(served.process.pid) as watch:
        began = time.perf_counter()
        path = "/api/v1/uploads/" + str(
            served.ask("POST", "/api/v1/uploads", {"filename": "large.zip", "size": size}, token=key)["upload_id"]
        )
        with place.open("rb") as opened:
            _append(served, key, path, opened, end=size * 6 // 10)
            _append(served, key, path, opened, end=size)
        served.ask("POST", f"{path}/complete", token=key)
        sent_s = time.perf_counter() - began
        told = served.ask("POST", "/api/v1/datasets/large/items", {"upload_id": path.rsplit("/", 1)[1]}, token=key)
        took_s = time.perf_counter() - began - sent_s
    assert told["processed_items"] == max(1, size // 20_000_000), told["report"]["rejected"][:3]
    remark = (
        f"sent in {sent_s:.0f} s ({size / sent_s / 1e6:.0f} MB/s), taken in in {took_s:.0f} s "
        f"({size / took_s / 1e6:.0f} MB/s); with its mapped files {watch.before >> 20} → {watch.most >> 20} MiB"
    )
    most, what = MOST_LARGE_BYTES >> 20, f"memory for an archive of {size / 1e9:.1f} GB"
    return Figure(what, watch.most_own >> 20, "MiB", most, less_is_better=True, remark=remark)


def _append(served: Served, key: str, path: str, opened: Any, *, end: int) -> None:
    while (at := opened.tell()) < end:
        request = urllib.request.Request(served.address + path, opened.read(min(PIECE_BYTES, end - at)), method="PATCH")
        request.add_header("Upload-Offset", str(at))
        request.add_header("Content-Type", "application/octet-stream")
        request.add_header("Authorization", f"Bearer {key}")
        with urllib.request.urlopen(request) as answer:
            assert json.loads(answer.read())["offset"] == opened.tell()


if __name__ == "__main__":
    sys.exit(main())
