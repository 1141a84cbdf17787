"""Work on bytes that nobody vouches for is done by a child that cannot harm its parent."""

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retinue.vision.contained import MIB, ChildDied, ChildTimedOut, run_contained, stream_contained
from retinue.vision.contained_child import FORBIDDEN_CALLS
from retinue.vision.errors import BrokenVideo, FactsMissing

HERE = __name__


def work(name: str, payload: dict[str, Any] | None = None, **limits: Any) -> dict[str, Any]:
    return run_contained(f"{HERE}:{name}", payload or {}, **limits)


class TestAnAnswer:
    def test_comes_back_as_a_dictionary(self) -> None:
        assert work("double", {"number": 21}) == {"number": 42}

    def test_may_be_longer_than_a_pipe(self) -> None:
        assert len(work("repeat", {"word": "long " * 100_000})["word"]) == 500_000

    def test_reads_a_file_through_a_number_handed_over(self, tmp_path: Path) -> None:
        (tmp_path / "film").write_bytes(b"frames")
        with (tmp_path / "film").open("rb") as file:
            assert work("read_fd", {"fd": file.fileno()}, pass_fds=[file.fileno()]) == {"text": "frames"}


class TestAStream:
    def test_arrives_as_it_is_made(self) -> None:
        told = stream_contained(f"{HERE}:count", {"to": 3}, cpu_s=30, wall_s=60, memory_bytes=512 * MIB)
        assert [(head["n"], bytes(body)) for head, body in told] == [(0, b""), (1, b"x"), (2, b"xx")]

    def test_waits_for_a_slow_reader_instead_of_piling_up(self, tmp_path: Path) -> None:
        # Messages of 1, 2, 3 … MiB: with nobody reading, the child must stand in the pipe after the first.
        payload = {"to": 12, "log": str(tmp_path / "log"), "size": MIB}
        told = stream_contained(f"{HERE}:count", payload, cpu_s=30, wall_s=60, memory_bytes=512 * MIB)
        next(told)
        assert len((tmp_path / "log").read_text()) <= 3
        assert sum(1 for _ in told) == 11

    def test_ends_its_child_when_it_is_closed_early(self) -> None:
        told = stream_contained(f"{HERE}:own_id_for_ever", {}, cpu_s=30, wall_s=60, memory_bytes=512 * MIB)
        child, _ = next(told)
        told.close()
        with pytest.raises(ProcessLookupError):
            os.kill(child["id"], 0)

    def test_is_refused_where_one_message_is_larger_than_agreed(self) -> None:
        told = stream_contained(
            f"{HERE}:count", {"to": 2, "size": MIB}, cpu_s=30, wall_s=60, memory_bytes=512 * MIB, max_message_bytes=1000
        )
        next(told)
        with pytest.raises(ChildDied, match="more than it may"):
            next(told)


class TestAFailure:
    def test_of_ours_is_raised_again_with_its_words(self) -> None:
        with pytest.raises(BrokenVideo, match="no picture in it"):
            work("refuse")

    def test_of_ours_keeps_what_it_carries(self) -> None:
        with pytest.raises(FactsMissing) as caught:
            work("ask_for_facts")
        assert caught.value.missing == ("labels", "task")

    def test_of_others_never_shows_its_words_but_keeps_them_for_the_log(self) -> None:
        with pytest.raises(ChildDied) as caught:
            work("stumble")
        assert caught.value.reason == "crash"
        assert "secret" not in caught.value.detail
        assert "secret" in caught.value.trace

    def test_by_a_crash_names_it(self) -> None:
        with pytest.raises(ChildDied, match="crashed") as caught:
            work("crash")
        assert caught.value.reason == "crash"

    def test_by_hunger_for_memory_names_it(self) -> None:
        with pytest.raises(ChildDied) as caught:
            work("eat", memory_bytes=256 * MIB)
        assert caught.value.reason == "memory"

    def test_by_endless_work_names_it(self) -> None:
        with pytest.raises(ChildTimedOut) as caught:
            work("spin", cpu_s=1, wall_s=240)
        assert caught.value.reason == "processor time"

    def test_by_endless_waiting_names_it(self) -> None:
        started = time.monotonic()
        with pytest.raises(ChildTimedOut) as caught:
            work("wait", wall_s=0.5)
        assert caught.value.reason == "wall time"
        assert time.monotonic() - started < 30  # the child would wait for a minute


class TestTheFence:
    def test_leaves_an_empty_working_directory_and_none_of_our_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RETINUE_SECRET", "told to nobody")
        seen = work("look_around")
        assert seen["here"] == []
        assert "RETINUE_SECRET" not in seen["environment"]

    def test_leaves_no_file_of_ours_open(self, tmp_path: Path) -> None:
        with (tmp_path / "ledger").open("wb") as ledger:
            os.set_inheritable(ledger.fileno(), True)
            assert str(tmp_path / "ledger") not in work("open_files")["files"]

    def test_lets_no_large_file_be_written(self) -> None:
        with pytest.raises(ChildDied) as caught:
            work("fill_the_disk")
        assert "File too large" in caught.value.trace

    @pytest.mark.skipif(os.uname().machine not in FORBIDDEN_CALLS, reason="calls are filtered on these machines only")
    def test_reaches_no_listener(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as canary:
            canary.settimeout(0.2)
            assert work("reach", {"port": canary.getsockname()[1]}) == {"refused": "PermissionError"}
            with pytest.raises(TimeoutError):
                canary.accept()

    @pytest.mark.skipif(os.uname().machine not in FORBIDDEN_CALLS, reason="calls are filtered on these machines only")
    def test_starts_no_program(self) -> None:
        assert work("start_program") == {"refused": "PermissionError"}


# What the child is asked to do in these stories; it imports this module to find them.


def double(payload: dict[str, Any]) -> dict[str, Any]:
    return {"number": payload["number"] * 2}


def repeat(payload: dict[str, Any]) -> dict[str, Any]:
    return payload


def read_fd(payload: dict[str, Any]) -> dict[str, Any]:
    with os.fdopen(payload["fd"]) as file:
        return {"text": file.read()}


def count(payload: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
    for n in range(payload["to"]):
        if "log" in payload:
            with Path(payload["log"]).open("a") as log:
                log.write("x")
        yield {"n": n}, b"x" * n * payload.get("size", 1)


def own_id_for_ever(_: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
    while True:
        yield {"id": os.getpid()}, b""


def refuse(_: dict[str, Any]) -> dict[str, Any]:
    raise BrokenVideo("There is no picture in it.")


def ask_for_facts(_: dict[str, Any]) -> dict[str, Any]:
    raise FactsMissing("The file names no classes.", missing=("labels", "task"))


def stumble(_: dict[str, Any]) -> dict[str, Any]:
    raise KeyError("/secret/path")


def crash(_: dict[str, Any]) -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def eat(_: dict[str, Any]) -> dict[str, Any]:
    return {"length": len(bytearray(1 << 30))}


def spin(_: dict[str, Any]) -> dict[str, Any]:
    while True:
        pass


def wait(_: dict[str, Any]) -> dict[str, Any]:
    time.sleep(60)
    return {}


def look_around(_: dict[str, Any]) -> dict[str, Any]:
    return {"here": [str(path) for path in Path.cwd().iterdir()], "environment": list(os.environ)}


def open_files(_: dict[str, Any]) -> dict[str, Any]:
    files = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            files.append(str(link.readlink()))
        except FileNotFoundError:  # the listing's own
            continue
    return {"files": files}


def fill_the_disk(_: dict[str, Any]) -> dict[str, Any]:
    Path("full").write_bytes(bytes(8 * MIB))
    return {}


def reach(payload: dict[str, Any]) -> dict[str, Any]:
    try:
        socket.create_connection(("127.0.0.1", payload["port"]), timeout=2)
    except OSError as failure:
        return {"refused": type(failure).__name__}
    return {"refused": None}


def start_program(_: dict[str, Any]) -> dict[str, Any]:
    try:
        subprocess.run([sys.executable, "-c", ""], check=True)
    except OSError as failure:
        return {"refused": type(failure).__name__}
    return {"refused": None}
