"""The life of a version: it comes in, becomes the one that answers, gives way to another, retires."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from retinue.accounts import audit
from retinue.base.database import Transaction
from retinue.base.errors import Conflict
from retinue.base.ids import new_id
from retinue.catalog.tables import Model, Version
from retinue.vision.package import Package
from retinue.webhooks import events


class NameTaken(Conflict):
    code = "model-name-taken"
    title = "A model of this name exists already; add a version to it instead"


class CannotServe(Conflict):
    code = "version-retired"
    title = "A retired version cannot be made active"


class SwitchedMeanwhile(Conflict):
    code = "version-switched"
    title = "Another version was made active in the meantime; look again"


class NothingBefore(Conflict):
    code = "nothing-before"
    title = "The active version took over from no other, so there is nothing to go back to"


class NoShadow(Conflict):
    code = "no-shadow"
    title = "This version cannot answer beside the active one"


class StillServing(Conflict):
    code = "version-active"
    title = "The active version cannot be retired; activate another one first"


def add_model(now: Transaction, package: Package) -> str:
    """A new name; its first version follows."""
    if now.value(sa.select(Model.id).where(Model.name == package.name)) is not None:
        raise NameTaken(f"There is a model called {package.name} already")
    model_id = new_id(now.time)
    now.insert(
        Model,
        {
            "id": model_id,
            "name": package.name,
            "task": package.task,
            "enabled": True,
            "price": package.manifest.price,
            "thresholds": {},
            "active_version_id": None,
            "changes": 0,
            "created_at": now.time,
        },
    )
    return model_id


def add_version(
    now: Transaction,
    model_id: str,
    package: Package,
    *,
    version_id: str,
    origin: str,
    files: list[str],
    size_bytes: int,
    intake: Mapping[str, Any],
    by: str | None,
) -> int:
    """The next number of its model, ready but not active. Two that come at once get two numbers."""
    now.execute(sa.update(Model).where(Model.id == model_id).values(changes=Model.changes + 1))  # locks the row
    last = now.value(sa.select(sa.func.max(Version.number)).where(Version.model_id == model_id)) or 0
    now.insert(
        Version,
        {
            "id": version_id,
            "model_id": model_id,
            "number": last + 1,
            "state": "ready",
            "manifest": package.manifest.model_dump(mode="json"),
            "package_key": package.key,
            "origin": origin,
            "files": files,
            "size_bytes": size_bytes,
            "intake": dict(intake),
            "created_at": now.time,
            "created_by": by,
        },
    )
    return last + 1


def activate(
    now: Transaction,
    model: Model,
    version: Version,
    *,
    by: str | None,
    reason: str,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """From here on this version answers. Of two that are activated at once, each takes over from the other or none."""
    before = model.active_version_id
    still = sa.update(Model).where(Model.id == model.id, Model.active_version_id.is_not_distinct_from(before))
    if not now.changed(still.values(active_version_id=version.id, changes=Model.changes + 1)):
        raise SwitchedMeanwhile()
    _leave_shadow(now, model, version)
    ready = sa.update(Version).where(Version.id == version.id, Version.state == "ready")
    if not now.changed(ready.values(activated_at=now.time)):
        raise CannotServe(f"Version {version.number} of {model.name} is retired")
    is_back = (facts or {}).get("roll_back", False)
    if before != version.id and not is_back:  # a roll-back goes down the row of versions; it does not turn it round
        now.execute(sa.update(Version).where(Version.id == version.id).values(took_over_from=before))
    news = {"model": model.name, "version": version.label, "reason": reason}
    events.tell_everybody(now, "model.activated", news)
    if by is not None:
        told = {"version": version.number, "instead_of": before, "reason": reason, **(facts or {})}
        audit.record(now, by, "model.activate", model.name, told)


def version_before(now: Transaction, active: Version) -> Version | None:
    """The version that this one took over from: where a roll-back goes."""
    return now.first(sa.select(Version).where(Version.id == active.took_over_from))


def retire(now: Transaction, model: Model, version: Version, *, by: str) -> None:
    idle = sa.update(Model).where(Model.id == model.id, Model.active_version_id.is_distinct_from(version.id))
    if not now.changed(idle.values(changes=Model.changes + 1)):
        raise StillServing(f"Version {version.number} of {model.name} is the active one")
    now.execute(sa.update(Version).where(Version.id == version.id).values(state="retired"))
    _leave_shadow(now, model, version)
    audit.record(now, by, "model.retire", model.name, {"version": version.number})


def shadow(now: Transaction, model: Model, version: Version, percent: int, *, by: str) -> None:
    """From here on this version also answers so many of a hundred live pictures; nobody sees what it says."""
    if model.task == "inpaint":
        raise NoShadow("Of two painted pictures nobody can tell by rule whether they say the same")
    idle = sa.update(Model).where(Model.id == model.id, Model.active_version_id.is_distinct_from(version.id))
    told = {"shadow_version": version.label, "shadow_percent": percent}
    if not now.changed(idle.values(**told, changes=Model.changes + 1)):
        raise NoShadow(f"Version {version.number} of {model.name} is the active one")
    if now.value(sa.select(Version.state).where(Version.id == version.id)) != "ready":
        raise CannotServe(f"Version {version.number} of {model.name} is retired")
    audit.record(now, by, "model.shadow", model.name, {"version": version.number, "percent": percent})


def end_shadow(now: Transaction, model: Model, *, by: str) -> None:
    _no_shadow(now, model)
    audit.record(now, by, "model.shadow", model.name, {"version": None, "percent": 0})


def _leave_shadow(now: Transaction, model: Model, version: Version) -> None:
    """Who answers, or never will again, answers beside nobody."""
    if model.shadow_version == version.label:
        _no_shadow(now, model)


def _no_shadow(now: Transaction, model: Model) -> None:
    none = {"shadow_version": None, "shadow_percent": 0}
    now.execute(sa.update(Model).where(Model.id == model.id).values(**none, changes=Model.changes + 1))


def change(now: Transaction, model: Model, values: Mapping[str, Any], *, by: str) -> None:
    """Price, thresholds, on or off."""
    now.execute(sa.update(Model).where(Model.id == model.id).values(**values, changes=Model.changes + 1))
    audit.record(now, by, "model.change", model.name, dict(values))
