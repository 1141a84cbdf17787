"""Models, on a server: what an admin may, with a key that was made for it."""

from pathlib import Path
from typing import Any

from retinue.cli.reaching import At


def add(at: At, source: str, *, name: str | None, labels: list[str] | None, **facts: str | None) -> dict[str, Any]:
    """A name that is there already gets another version."""
    what = source if "://" in source else Path(source)
    with at.client() as client:
        if name is not None and name in {one.name for one in client.models.list()}:
            taken = client.models.add_version(name, what, labels=labels, **facts)
        else:
            taken = client.models.add(what, name=name, labels=labels, **facts)
    return taken.model_dump(mode="json")


def versions(at: At, name: str) -> list[dict[str, Any]]:
    with at.client() as client:
        return [
            {
                "version": one.version,
                "state": one.state,
                "labels": len(one.labels),
                "bytes": one.size_bytes,
                "since": one.created_at.date().isoformat(),
                "sha256": one.sha256,
            }
            for one in client.models.versions(name)
        ]
