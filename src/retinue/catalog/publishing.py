"""How a model file becomes a version: imported, tried in a limited child, put on the shelf, then written down."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.base.errors import Invalid
from retinue.base.ids import new_id
from retinue.catalog import versions
from retinue.catalog.serving import model_named
from retinue.catalog.shelf import Shelf
from retinue.catalog.tables import Model, Version
from retinue.vision.builtin import builtin_packages
from retinue.vision.importing import Told
from retinue.vision.intake import IntakeReport, take_in
from retinue.vision.package import Package

_BUILTIN_LOCK = 5_248_304  # any number, the same on every node


class OtherTask(Invalid):
    code = "other-task"
    title = "A version must do the same task as its model"


@dataclass(frozen=True, slots=True)
class Published:
    model: str
    number: int
    intake: Mapping[str, Any]


class Publisher:
    """Takes model files in. One at a time: an intake test uses a core and memory that live traffic needs."""

    def __init__(self, database: Database, shelf: Shelf, *, work_folder: Path) -> None:
        self._database = database
        self._shelf = shelf
        self._work_folder = work_folder
        self._one_at_a_time = asyncio.Lock()

    async def publish(
        self, source: Path, told: Told, *, origin: str, by: str | None, new: bool | None = None
    ) -> Published:
        """A new model's first version (active at once), or the next version of a model (ready, not active).

        `new` unset: whichever the name says.
        """
        async with self._one_at_a_time:
            self._work_folder.mkdir(parents=True, exist_ok=True)
            place = Path(tempfile.mkdtemp(prefix="intake-", dir=self._work_folder))
            try:
                package, report = await asyncio.to_thread(take_in, source, place / "package", told=told)
                return await self._write_down(package, _told(report), origin=origin, by=by, new=new)
            finally:
                shutil.rmtree(place, ignore_errors=True)

    async def _write_down(
        self, package: Package, intake: Mapping[str, Any], *, origin: str, by: str | None, new: bool | None
    ) -> Published:
        version_id = new_id()
        files = await self._shelf.put(version_id, package)
        size = sum((package.folder / name).stat().st_size for name in files)

        def write(now: Transaction) -> int:
            is_new = not _is_known(now, package.name) if new is None else new
            model_id = versions.add_model(now, package) if is_new else _model_for(now, package).id
            number = versions.add_version(
                now,
                model_id,
                package,
                version_id=version_id,
                origin=origin,
                files=files,
                size_bytes=size,
                intake=intake,
                by=by,
            )
            if is_new:
                _activate_first(now, package.name, by=by)
            return number

        return Published(package.name, await self._database.write(write), intake)


def _told(report: IntakeReport) -> dict[str, Any]:
    return {
        "sentence": report.sentence,
        "answer": report.answer,
        "ms_per_picture": report.ms_per_picture,
        "inputs": list(report.inputs),
        "outputs": list(report.outputs),
        "peak_bytes": report.peak_bytes,
    }


def _is_known(now: Transaction, name: str) -> bool:
    return now.value(sa.select(Model.id).where(Model.name == name)) is not None


def _model_for(now: Transaction, package: Package) -> Model:
    model = model_named(now, package.name)
    if model.task != package.task:
        raise OtherTask(f"{model.name} does {model.task}, this file does {package.task}")
    return model


def _activate_first(now: Transaction, name: str, *, by: str | None) -> None:
    model = model_named(now, name)
    first = now.first(sa.select(Version).where(Version.model_id == model.id).order_by(Version.number))
    assert first is not None, "it was just added"
    versions.activate(now, model, first, by=by, reason="first version")


def put_in_builtin(database: Database, shelf: Shelf) -> None:
    """At every start: built-in models that are new, and new recipes of old ones.

    The packages are made and checked first: no transaction waits for a disk.
    """
    packages = builtin_packages(shelf.builtin_folder).values()
    database.write_now(lambda now: _write_down_builtin(now, packages))


def _write_down_builtin(now: Transaction, packages: Iterable[Package]) -> None:
    """A new recipe takes over from an older one; where an admin made a version of another origin active, that one
    stays. Nodes that start at the same time do it one after the other."""
    if now.connection.dialect.name == "postgresql":  # on SQLite the transaction itself is the lock
        now.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _BUILTIN_LOCK})
    for package in packages:
        model = now.first(sa.select(Model).where(Model.name == package.name))
        model_id = model.id if model else versions.add_model(now, package)
        own = now.all(sa.select(Version).where(Version.model_id == model_id))
        if any(version.package_key == package.key for version in own):
            continue
        size = package.weights.stat().st_size if package.weights else 0
        version_id = new_id(now.time)
        versions.add_version(
            now,
            model_id,
            package,
            version_id=version_id,
            origin="builtin",
            files=[],
            size_bytes=size,
            intake={},
            by=None,
        )
        active = next((version for version in own if model and version.id == model.active_version_id), None)
        if active is None or active.origin == "builtin":
            added = now.first(sa.select(Version).where(Version.id == version_id))
            assert added is not None, "it was just added"
            versions.activate(now, model_named(now, package.name), added, by=None, reason="built in")
