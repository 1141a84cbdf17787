"""Writes the bill of materials (CycloneDX): every package of the lock file with its version and its hashes."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import retinue

LOCK = Path(__file__).parent.parent / "requirements.lock"
PACKAGE = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE | re.IGNORECASE
)


def components(lock: str) -> Iterator[dict[str, Any]]:
    for found in PACKAGE.finditer(lock):
        name, version = found["name"].lower(), found["version"]
        purl = f"pkg:pypi/{name}@{version}"
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", found["rest"])
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            # One of these is the file that was installed: the lock file names every platform's.
            "properties": [{"name": "retinue:sha256", "value": one} for one in hashes],
        }


def bill(lock: str) -> dict[str, Any]:
    itself = {"type": "application", "name": "retinue", "version": retinue.__version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": itself},
        "components": list(components(lock)),
    }


def main(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    told = bill(LOCK.read_text("utf-8"))
    place.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    print(f"{len(told['components'])} packages in {place}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
