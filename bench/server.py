"""A real server as a process of its own, with people in it who can pay."""

import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinue.vision.package import Package

ADMIN = "admin@bench.example"
PASSWORD = "bench-marmalade-tractor"
STARTS_WITHIN_S = 60


@dataclass
class Served:
    """A running server and how to ask it."""

    address: str
    process: "subprocess.Popen[str]"
    folder: Path
    ready_after_s: float

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        request = urllib.request.Request(self.address + path, method=method)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data) as answer:
            return json.loads(answer.read() or b"null")

    def sign_in(self, email: str = ADMIN) -> str:
        told = self.ask("POST", "/api/v1/sessions", {"email": email, "password": PASSWORD})
        token: str = told["access_token"]
        return token

    def rich_person(self, name: str) -> str:
        """Somebody new with more credits than a bench can spend; gives an API key."""
        email = f"{name}@bench.example"
        person = {"email": email, "password": PASSWORD, "name": name, "surname": "Bench"}
        self.ask("POST", "/api/v1/users", person)
        recharge = {"amount": 1_000_000, "reason": "bench"}
        self.ask("POST", f"/api/v1/admin/users/{email}/credits", recharge, token=self.sign_in())
        key = self.ask("POST", "/api/v1/me/keys", {"name": "bench"}, token=self.sign_in(email))
        secret: str = key["key"]
        return secret

    def add_model(self, path: str, package: Package, **facts: str) -> None:
        """A package as a new model or version, as an admin would send it."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for one in package.folder.iterdir():
                archive.write(one, one.name)
        mark = "a-line-that-is-in-no-file"
        fields = "".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in facts.items()
        )
        head = f'{fields}--{mark}\r\nContent-Disposition: form-data; name="file"; filename="package.zip"\r\n\r\n'
        body = head.encode() + packed.getvalue() + f"\r\n--{mark}--\r\n".encode()
        request = urllib.request.Request(self.address + path, body, method="POST")
        request.add_header("Content-Type", f"multipart/form-data; boundary={mark}")
        request.add_header("Authorization", f"Bearer {self.sign_in()}")
        with urllib.request.urlopen(request) as answer:
            answer.read()

    def cpu_s(self) -> float:
        return cpu_s_of(self.process.pid)

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) * 1024


def cpu_s_of(pid: int) -> float:
    """Processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until_listening(port: int) -> None:
    """Of a server that greets nobody."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")


@contextmanager
def serving(folder: Path | None = None, **settings: str) -> Iterator[Served]:
    """`settings` without their prefix: database_url=…"""
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RETINUE_")},
            "RETINUE_DATA_DIR": str(place / "data"),
            "RETINUE_ADMIN_EMAIL": ADMIN,
            "RETINUE_ADMIN_PASSWORD": PASSWORD,
            "RETINUE_LOG_LEVEL": "warning",
            **{f"RETINUE_{name.upper()}": value for name, value in settings.items()},
        }
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "retinue.cli.main", "up", "--port", "0"],
            env=environment,
            cwd=place,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            address = _address_of(process)
            teller = threading.Thread(target=_pass_on, args=(process.stderr,))
            teller.start()
            yield Served(address, process, place, time.monotonic() - began)
            process.kill()
            teller.join()
        finally:
            process.kill()
            process.wait()


def _address_of(process: "subprocess.Popen[str]") -> str:
    """From its greeting; whatever else it says is passed on."""
    assert process.stderr is not None
    deadline = time.monotonic() + STARTS_WITHIN_S
    for line in process.stderr:
        if match := re.search(r"serves on\s+(http://\S+)", line):
            return match[1]
        sys.stderr.write(line)
        if time.monotonic() > deadline:
            break
    raise RuntimeError("the server did not start")


def _pass_on(stream: Any) -> None:
    with stream:
        for line in stream:
            sys.stderr.write(line)
