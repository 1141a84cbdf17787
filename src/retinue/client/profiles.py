"""Which server is meant and with which key: what was said, else the environment, else what `retinue login` left."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from platformdirs import user_config_path

from retinue.client.errors import NoServer

USUAL = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """A server, and a key of somebody's on it."""

    server: str
    key: str
    key_id: str
    email: str


def where_to(
    server: str | None, key: str | None, *, profile: str | None = None, may_use_key: bool = True
) -> tuple[str, str | None]:
    """The address and the key. A key that was kept for one server is never sent to another one."""
    server = server or os.environ.get("RETINUE_SERVER") if profile is None else server
    key = key or os.environ.get("RETINUE_KEY") if profile is None and may_use_key else key
    kept = None if server and key else read(profile or USUAL)
    if profile is not None and kept is None:
        raise NoServer(f"There is no profile {profile!r}. Make it: retinue login --profile {profile} --server URL")
    if server is None and kept is None:
        raise NoServer("Name it: --server URL or RETINUE_SERVER, or sign in once: retinue login --server URL")
    address = (server or (kept.server if kept else "")).rstrip("/")
    if key is None and may_use_key and kept is not None and kept.server == address:
        key = kept.key
    return address, key


def is_told() -> bool:
    """Whether the environment or a login says where to."""
    return "RETINUE_SERVER" in os.environ or read(USUAL) is not None


def read(name: str) -> Profile | None:
    found = read_all().get(name)
    return None if found is None else Profile(**found)


def read_all() -> dict[str, dict[str, str]]:
    try:
        told: dict[str, dict[str, str]] = json.loads(place().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return told


def keep(name: str, profile: Profile) -> Path:
    return _write({**read_all(), name: asdict(profile)})


def forget(name: str) -> None:
    _write({other: told for other, told in read_all().items() if other != name})


def place() -> Path:
    return user_config_path("retinue") / "profiles.json"


def _write(told: dict[str, dict[str, str]]) -> Path:
    """For the owner's eyes only from the first byte on, and whole or not at all."""
    file = place()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(told, out, indent=1)
    draft.replace(file)
    return file
