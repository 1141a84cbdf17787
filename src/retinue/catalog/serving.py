"""Which version answers for a name. Kept in this process for two seconds, so that a live request reads no database."""

import re
import time
from dataclasses import dataclass

import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.catalog.shelf import Shelf
from retinue.catalog.tables import Model, Version
from retinue.vision.package import Package

NUMBER = re.compile(r"[1-9][0-9]{0,8}")
PACKAGE_KEY = re.compile(r"[0-9a-f]{64}")
FRESH_S = 2.0  # how late another node learns of an activation


class NoSuchModel(NotFound):
    code = "no-such-model"
    title = "There is no model of this name"


class NoSuchVersion(NotFound):
    code = "no-such-version"
    title = "This model has no such version"


class ModelOff(Conflict):
    code = "model-off"
    title = "This model is switched off, or none of its versions is active"


@dataclass(frozen=True, slots=True)
class Serving:
    """One version ready to answer."""

    model: Model
    version: Version
    package: Package


class Catalog:
    def __init__(self, database: Database, shelf: Shelf) -> None:
        self._database = database
        self._shelf = shelf
        self._kept: dict[tuple[str, str | None], tuple[float, Serving]] = {}
        self._changes = 0  # a look-up that began before a change keeps nothing

    async def serving(self, name: str, version: str | None = None) -> Serving:
        """The active version of the model, or the one asked for by number; refused in words otherwise."""
        kept = self._kept.get((name, version))
        if kept and kept[0] > time.monotonic():
            return kept[1]
        changes = self._changes
        model, row = await self._database.read(lambda now: version_to_serve(now, name, version))
        if kept and kept[1].version.id == row.id and kept[1].model.changes == model.changes:
            found = kept[1]
        else:
            found = Serving(model, row, await self._shelf.package_of(row))
        if changes == self._changes:
            self._kept[name, version] = time.monotonic() + FRESH_S, found
        return found

    def forget(self, name: str) -> None:
        """After a change in this process, the next request looks again."""
        self._changes += 1
        for key in [key for key in self._kept if key[0] == name]:
            del self._kept[key]


def model_named(now: Transaction, name: str) -> Model:
    model = now.first(sa.select(Model).where(Model.name == name))
    if model is None:
        raise NoSuchModel(f"No model is called {name!r}; GET /api/v1/models lists them")
    return model


def version_numbered(now: Transaction, model: Model, number: str) -> Version:
    """By its number, or by its package's key, which other nodes know before a version is active."""
    found = None
    if PACKAGE_KEY.fullmatch(number):
        own = sa.select(Version).where(Version.model_id == model.id, Version.package_key == number)
        found = now.first(own.order_by(Version.number.desc()))
    elif NUMBER.fullmatch(number):  # one spelling each, because what is kept is kept by it
        found = now.first(sa.select(Version).where(Version.model_id == model.id, Version.number == int(number)))
    if found is None:
        raise NoSuchVersion(f"{model.name} has no version {number[:20]!r}")
    return found


def version_to_serve(now: Transaction, name: str, number: str | None) -> tuple[Model, Version]:
    model = model_named(now, name)
    if not model.enabled:
        raise ModelOff(f"{name} is switched off")
    if number is not None:
        version = version_numbered(now, model, number)
        if not version.can_serve():
            raise ModelOff(f"Version {number} of {name} is retired")
        return model, version
    if model.active_version_id is None:
        raise ModelOff(f"No version of {name} is active")
    active = now.first(sa.select(Version).where(Version.id == model.active_version_id))
    assert active is not None, "an active version always exists"
    return model, active
