"""Every secret that this house knows is a canary: everything runs once, and nothing that leaves shows one."""

import contextlib
import gzip
import io
import logging
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from pydantic import SecretStr

from retinue import assembly
from retinue.base import backing_up
from retinue.base.observe import start_logging
from retinue.base.settings import Settings, describe
from tests.accounts.people import Person, add_person, with_key
from tests.pictures import drawn
from tests.web.access_table import ROWS
from tests.web.test_access_matrix import Cast

PASSWORD = "canary-of-a-password-7f3a"
WRONG = "canary-of-a-guess-91bc"
SETTINGS = {
    "secret_key": "canary-of-the-secret-key-0123456789abcdef",
    "admin_password": "canary-of-the-admin-password-52d1",
    "metrics_token": "canary-of-the-metrics-token",
    "eye_token": "canary-of-the-eye-token",
}
# They are told once, to whom they belong, where they are made.
MAKES = {
    "POST /api/v1/me/keys",
    "POST /api/v1/sessions",
    "POST /api/v1/sessions/refresh",
    "POST /api/v1/token",
    "GET /api/v1/webhooks/secret",
    "POST /api/v1/webhooks",
    "POST /api/v1/webhooks/{webhook_id}/secret",
}


@dataclass
class Watch:
    """What is secret, and everything that left."""

    secrets: dict[str, str]
    left: dict[str, bytes] = field(default_factory=dict)

    def found(self) -> list[str]:
        return [
            f"{name} in {where}"
            for where, told in self.left.items()
            for name, secret in self.secrets.items()
            if secret.encode() in told
        ]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    canaries: dict[str, Any] = {name: SecretStr(value) for name, value in SETTINGS.items()}
    return settings.model_copy(update={**canaries, "admin_email": "first@example.com"})


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Every line, as a server writes it."""
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    with contextlib.redirect_stdout(io.StringIO()) as lines:
        start_logging(level="debug")
    yield lines
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_secret_leaves(
    house: assembly.House, http: httpx2.AsyncClient, tmp_path: Path, log: io.StringIO
) -> None:
    ada = add_person(house, http, "ada@example.com", password=PASSWORD)
    root = add_person(house, http, "root@example.com", role="admin", password=PASSWORD)
    watch = Watch({**SETTINGS, "password": PASSWORD, "a guess": WRONG, "refresh token": ada.refresh_token})
    await sign_in_and_out(http, watch)
    watch.secrets |= {"access token": ada.credential, "an admin's access token": root.credential}
    await ask_everything(house, root, watch)
    await ask_everything(house, with_key_in(watch, house, ada), watch)
    await break_things(house, ada, watch)
    await webhooks(ada, watch)
    folder = tmp_path / "backup"
    await backing_up.back_up(house.database, house.storage, house.secrets, secret_file=None, to=folder)
    watch.left |= {f"the backup's {path.name}": unpacked(path) for path in folder.rglob("*") if path.is_file()}
    watch.left["the database"] = dumped(house.settings.data_dir.parent / "test.db")
    watch.left["the log"] = log.getvalue().encode()
    watch.left["the settings"] = repr((list(describe(house.settings)), house.settings, house)).encode()
    assert len(watch.left["the log"]) > 10_000
    assert watch.found() == []


def with_key_in(watch: Watch, house: assembly.House, person: Person) -> Person:
    keyed = with_key(house, person)
    watch.secrets[f"key of {person.user.role}"] = keyed.credential.rsplit("_", 1)[1]
    return keyed


async def sign_in_and_out(http: httpx2.AsyncClient, watch: Watch) -> None:
    """With words that must not be remembered, also where they do not fit or stand in the wrong place."""
    wanted = {"email": "ada@example.com", "password": PASSWORD}
    told = (await http.post("/api/v1/sessions", json=wanted)).json()
    watch.secrets |= {"another access token": told["access_token"], "another refresh token": told["refresh_token"]}
    tries: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/sessions", {"json": {**wanted, "password": WRONG}}),
        ("/api/v1/sessions", {"json": {"email": PASSWORD, "password": 7}}),
        ("/api/v1/sessions", {"json": {**wanted, "passwort": WRONG, "password": [WRONG]}}),
        ("/api/v1/sessions", {"content": f'{{"password": "{PASSWORD}'.encode()}),
        ("/api/v1/token", {"data": {"username": "ada@example.com", "password": WRONG}}),
        ("/api/v1/users", {"json": {"email": "no address", "password": PASSWORD}}),
        ("/api/v1/users", {"json": {**wanted, "name": 7}}),
        ("/api/v1/setup", {"json": {"code": WRONG, **wanted}}),
        ("/api/v1/sessions/refresh", {"json": {"refresh_token": told["refresh_token"][:-3] + "abc"}}),
        ("/login", {"data": {"email": "ada@example.com", "password": WRONG}}),
    ]
    for path, sent in tries:
        answer = await http.post(path, **sent)
        assert answer.status_code < 500
        # What somebody sent as an address may come back to them; nowhere else may it stand.
        watch.left[f"the answer to POST {path} {len(watch.left)}"] = answer.content


async def ask_everything(house: assembly.House, person: Person, watch: Watch) -> None:
    cast = Cast(house, person.http)
    for operation, row in ROWS.items():
        if operation in MAKES or operation.startswith("DELETE /api/v1/me") or operation == "DELETE /api/v1/sessions":
            continue
        method, path = operation.split(" ", 1)
        values = await row.make(cast.house, cast.person()) if row.make is not None else {}
        path = re.sub(r"{(\w+)(:\w+)?}", lambda name, values=values: values[name[1]], path)  # type: ignore[misc]
        answer = await person.ask(method, path, **row.send)
        watch.left[f"{operation} of {person.user.role} {len(watch.left)}"] = answer.content


async def break_things(house: assembly.House, person: Person, watch: Watch) -> None:
    """A fault of our own: it is logged with its trace, and told without."""

    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("something of ours broke")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(house.storage, "put", fails)
        answer = await person.post("/api/v1/predict", files={"file": ("one.jpg", drawn(77))})
    assert answer.status_code == 500
    watch.left["an error of ours"] = answer.content


async def webhooks(person: Person, watch: Watch) -> None:
    told = {"url": "https://93.184.216.34/hook", "events": ["job.completed"]}
    made = (await person.post("/api/v1/webhooks", json=told)).json()
    watch.secrets["a webhook's secret"] = made["secret"].removeprefix("whsec_")
    for path in ("", f"/{made['id']}", f"/{made['id']}/deliveries"):
        watch.left[f"webhooks{path}"] = (await person.get(f"/api/v1/webhooks{path}")).content


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def dumped(file: Path) -> bytes:
    database = sqlite3.connect(file)
    try:
        return "\n".join(database.iterdump()).encode()
    finally:
        database.close()
