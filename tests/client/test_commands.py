"""The command line over a server: signing in, filling datasets, running jobs, and what its exit codes say."""

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from retinue.cli.main import app
from retinue.client import Client, profiles
from retinue.client.errors import NotFound, Problem
from tests.accounts.people import PASSWORD
from tests.client.served import Served
from tests.corpus.archives import zipped
from tests.pictures import drawn, mask, photograph


@pytest.fixture(autouse=True)
def _somebody_signed_in(
    server: Served, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    # The server lives in this process, and would print its log among what commands print.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("RETINUE_SERVER", server.address)
    monkeypatch.setenv("RETINUE_KEY", new_key())
    yield
    structlog.reset_defaults()


def run(*words: object) -> int:
    code: int = app([str(word) for word in words], exit_on_error=False)
    return code


Told = pytest.CaptureFixture[str]


class TestSigningIn:
    def test_a_key_is_made_kept_used_and_revoked(
        self, server: Served, monkeypatch: pytest.MonkeyPatch, capsys: Told
    ) -> None:
        server.person("cli@example.com")
        monkeypatch.delenv("RETINUE_SERVER")
        monkeypatch.delenv("RETINUE_KEY")
        monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
        assert run("login", "--server", server.address, "--email", "cli@example.com") == 0
        kept = profiles.read("default")
        assert kept is not None
        assert (kept.email, PASSWORD in profiles.place().read_text()) == ("cli@example.com", False)
        assert run("dataset", "create", "mine") == 0
        assert len(capsys.readouterr().out.strip()) == 36
        assert run("dataset", "list", "--json") == 0
        assert json.loads(capsys.readouterr().out)[0]["name"] == "mine"
        assert run("logout") == 0
        assert profiles.read("default") is None
        with Client(server.address, email="cli@example.com", password=PASSWORD) as client:
            assert list(client.keys.list()) == []

    def test_without_a_server_it_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RETINUE_SERVER")
        told = subprocess.run(
            [sys.executable, "-m", "retinue.cli.main", "dataset", "list"], capture_output=True, text=True, check=False
        )
        assert (told.returncode, told.stdout) == (1, "")
        assert "retinue login --server URL" in told.stderr


class TestPredict:
    def test_the_server_answers_and_says_what_it_cost(self, tmp_path: Path, capsys: Told) -> None:
        (tmp_path / "cup.jpg").write_bytes(photograph("coffee"))
        (tmp_path / "bad.jpg").write_bytes(b"nothing")
        assert run("predict", "cup.jpg", "--save", "out") == 0
        told = capsys.readouterr()
        assert "0.95  espresso" in told.out
        assert "2.75 credits" in told.err
        assert (tmp_path / "out" / "cup-annotated.jpg").read_bytes()[:2] == b"\xff\xd8"
        assert run("predict", "bad.jpg", "cup.jpg", "--json") == 1
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [one.get("error") for one in lines] == ["not-a-picture", None]

    def test_this_machine_looks_when_it_is_told_to(self, tmp_path: Path, capsys: Told) -> None:
        (tmp_path / "cup.jpg").write_bytes(photograph("coffee"))
        run("predict", "cup.jpg", "--here", "--json")
        assert "prediction_id" not in json.loads(capsys.readouterr().out)

    def test_models_of_the_server(self, capsys: Told) -> None:
        assert run("model", "list", "--json") == 0
        assert {"toolbox", "efficientnet-lite0"} <= {one["name"] for one in json.loads(capsys.readouterr().out)}


class TestDatasets:
    def test_a_folder_is_pushed_in_pairs_and_groups_and_only_once(self, tmp_path: Path, capsys: Told) -> None:
        for name, data in [
            ("left/a_1.jpg", drawn(1)),
            ("left/mask_1.png", mask(64, 48)),
            ("right/b.jpg", drawn(2)),
            ("notes.txt", b"hello"),
        ]:
            (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "photos" / name).write_bytes(data)
        assert run("dataset", "push", "kit", "photos", "--json") == 1
        told = json.loads(capsys.readouterr().out)
        assert (told["accepted"], told["there"], told["cost"]) == (2, 0, 1.3)
        assert [Path(one["file"]).name for one in told["rejected"]] == ["notes.txt"]
        (tmp_path / "photos" / "notes.txt").unlink()
        assert run("dataset", "push", "kit", "photos", "--json") == 0
        again = json.loads(capsys.readouterr().out)
        assert (again["accepted"], again["there"], again["cost"]) == (0, 2, 0)
        with Client() as client:
            found = {one.image_path: one.type for one in client.datasets.items("kit")}
        assert found == {"left/a_1.jpg": "pair", "right/b.jpg": "image"}
        assert run("dataset", "export", "kit", "--layout", "coco", "--with", "predictions", "--with", "feedback") == 0
        assert (tmp_path / capsys.readouterr().out.strip()).read_bytes()[:2] == b"PK"

    def test_a_large_file_goes_on_where_another_process_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retinue.cli.pushing.IN_ONE_REQUEST_BYTES", 1000)
        archive = tmp_path / "many.zip"
        archive.write_bytes(zipped(*((f"{n}.jpg", drawn(n)) for n in range(5))))
        with Client() as client:
            begun: list[str] = []

            def die(sent: int, _: int) -> None:
                if sent:
                    raise KeyboardInterrupt

            from retinue.cli.pushing import _Begun

            upload = _Begun(client, archive)
            with pytest.raises(KeyboardInterrupt):
                client.uploads.send(archive, piece_bytes=1000, on_progress=die, on_begun=upload._note)
            begun = list(upload._read().values())
            assert run("dataset", "push", "many", archive) == 0
            assert upload._read() == {}
            with pytest.raises(NotFound):  # used up: the very upload that was begun
                client.uploads.offset(begun[0])

    def test_a_dry_run_takes_nothing(self, tmp_path: Path, capsys: Told) -> None:
        (tmp_path / "a.jpg").write_bytes(drawn(1))
        run("dataset", "push", "kit", "a.jpg", "--dry-run", "--json")
        assert json.loads(capsys.readouterr().out)["price"] == 0.65
        with Client() as client:
            assert client.datasets.get("kit").items == 0


class TestJobs:
    @pytest.fixture(autouse=True)
    def _a_dataset(self, tmp_path: Path) -> None:
        archive = tmp_path / "kit.zip"
        archive.write_bytes(zipped(("cup.jpg", photograph("coffee")), *((f"{n}.jpg", drawn(n)) for n in range(12))))
        with Client() as client:
            client.datasets.create("kit")
            client.datasets.add("kit", archive)

    def test_priced_run_listed_and_read(self, tmp_path: Path, capsys: Told) -> None:
        assert run("job", "run", "kit", "--dry-run") == 0
        assert "13 items, 35.75 credits" in capsys.readouterr().out
        assert run("job", "run", "kit", "--top-k", 1) == 0
        told = capsys.readouterr()
        assert "COMPLETED: 13 of 13 done, 35.75 credits" in told.err
        job_id = told.out.strip()
        assert run("job", "watch", job_id, "--json") == 0
        assert json.loads(capsys.readouterr().out)["status"] == "COMPLETED"
        assert run("job", "results", job_id) == 0
        assert "cup.jpg  0.95  espresso" in capsys.readouterr().out
        assert run("job", "results", job_id, "--out", "found.jsonl", "--format", "jsonl") == 0
        assert (tmp_path / "found.jsonl").read_text().count("\n") == 13
        capsys.readouterr()
        with pytest.raises(Problem):  # nothing of it failed
            run("job", "retry", job_id)
        assert run("job", "list", "--json") == 0
        assert [one["inference_id"] for one in json.loads(capsys.readouterr().out)] == [job_id]

    def test_an_aborted_one_has_its_own_exit_code(self, capsys: Told) -> None:
        with Client() as client:
            job = client.jobs.start("kit", parameters={"explain": {"method": "occlusion"}})
        assert run("job", "abort", job.id) == 0
        assert run("job", "watch", job.id) == 3
        assert "ABORTED" in capsys.readouterr().err

    def test_ctrl_c_leaves_it_running_and_says_how_to_come_back(self) -> None:
        with Client() as client:
            process = subprocess.Popen(
                [sys.executable, "-c", WATCH],
                env={**os.environ, "COLUMNS": "200"},
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"  # its imports may take longer than the job
            job = client.jobs.start("kit", parameters={"explain": {"method": "occlusion"}})
            process.stdin.write(f"{job.id}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "watching\n"
            process.send_signal(signal.SIGINT)
            _, words = process.communicate(timeout=240)
            assert (process.returncode, bool(re.search(f"retinue job watch {job.id}", words))) == (130, True), words
            assert job.status().status in {"PENDING", "RUNNING"}
            job.abort()


# Whoever runs the tests in the background ignores SIGINT, and so would this.
WATCH = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from retinue.cli.main import app
from retinue.client import watching
tell = watching._Ear.tell
def told(self, status):
    print("watching", flush=True)
    tell(self, status)
watching._Ear.tell = told
print("ready", flush=True)
sys.exit(app(["job", "watch", sys.stdin.readline().strip()]))
"""


class TestLoadtest:
    def test_counts_what_came_back_in_each_step(self, tmp_path: Path, capsys: Told) -> None:
        picture = tmp_path / "one.jpg"
        picture.write_bytes(drawn(1))
        report = tmp_path / "load.html"
        assert run("loadtest", picture, "--users", "1,2", "--seconds", 0.3, "--json", "--report", report) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [row["users"] for row in rows] == [1, 2]
        assert all(row["answers"] > 0 and row["refusals"] == 0 and row["p95_ms"] >= row["p50_ms"] for row in rows)
        assert "one.jpg" in report.read_text()

    def test_says_what_was_refused_and_how_often(self, tmp_path: Path, capsys: Told) -> None:
        words = tmp_path / "words.jpg"
        words.write_text("no picture")
        assert run("loadtest", words, "--users", "1", "--seconds", 0.1) == 1
        assert "415" in capsys.readouterr().err

    def test_wants_a_picture_and_numbers(self, capsys: Told) -> None:
        assert run("loadtest") == 2
        assert run("loadtest", "one.jpg", "--users", "many") == 2
