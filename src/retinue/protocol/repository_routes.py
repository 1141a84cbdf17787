"""Admins list, load and unload models as they do with other servers of the protocol.

To unload a model switches it off for everybody, as its clients expect, and gives its memory back; to load it switches
it on and has it ready. Which version answers is not decided here.
"""

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from retinue.accounts.access import Admin
from retinue.base.database import Database, Transaction
from retinue.base.errors import Malformed
from retinue.base.parts import part
from retinue.catalog import versions
from retinue.catalog.serving import Catalog, model_named
from retinue.catalog.tables import Model, Version
from retinue.vision.engine import Engine

routes = APIRouter(prefix="/v2/repository", tags=["protocol"])
Db = Annotated[Database, part(Database)]
CatalogPart = Annotated[Catalog, part(Catalog)]
Eye = Annotated[Engine, part(Engine)]


class NoConfigTaken(Malformed):
    code = "no-config-taken"
    title = "A model is configured by its own manifest; add a version to change it"


class IndexAsked(BaseModel):
    model_config = ConfigDict(strict=True)

    ready: bool = Field(default=False, description="Only those that are ready.")


class Change(BaseModel):
    parameters: dict[str, Any] = Field(default={}, description="unload_dependents is accepted: nothing depends.")


class Indexed(BaseModel):
    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


@routes.post("/index")
async def list_repository(db: Db, _: Admin, asked: IndexAsked | None = None) -> list[Indexed]:
    """Every version of every model, and whether it may be asked."""
    found = await db.read(_indexed)
    return [one for one in found if one.state == "READY" or not (asked and asked.ready)]


@routes.post("/models/{name}/load", response_class=Response)
async def load_model(
    name: str, db: Db, catalog: CatalogPart, eye: Eye, admin: Admin, told: Change | None = None
) -> Response:
    """Switched on, loaded and warm when this answers."""
    if told and (given := set(told.parameters) - {"unload_dependents"}):
        raise NoConfigTaken(f"{min(given)} is not taken: models are configured by their own manifests")
    await db.write(lambda now: _switch(now, name, True, by=admin.user_id))
    catalog.forget(name)
    await eye.load((await catalog.serving(name)).package)
    return Response()


@routes.post("/models/{name}/unload", response_class=Response)
async def unload_model(
    name: str, db: Db, catalog: CatalogPart, eye: Eye, admin: Admin, _told: Change | None = None
) -> Response:
    """Switched off for everybody; whoever is being served is served to the end."""
    keys = await db.write(lambda now: _switch(now, name, False, by=admin.user_id))
    catalog.forget(name)
    for key in keys:
        await eye.unload(key)
    return Response()


def _indexed(now: Transaction) -> list[Indexed]:
    both = sa.select(Model.name, Model.enabled, Version.number, Version.state).join(
        Version, Version.model_id == Model.id
    )
    told = []
    for row in now.rows(both.order_by(Model.name, Version.number)):
        reason = "" if row.enabled else "switched off"
        if row.state != "ready":
            reason = row.state
        state: Literal["READY", "UNAVAILABLE"] = "UNAVAILABLE" if reason else "READY"
        told.append(Indexed(name=row.name, version=str(row.number), state=state, reason=reason))
    return told


def _switch(now: Transaction, name: str, enabled: bool, *, by: str) -> list[str]:
    """The keys of the model's packages."""
    model = model_named(now, name)
    if model.enabled is not enabled:
        versions.change(now, model, {"enabled": enabled}, by=by)
    return [row.package_key for row in now.rows(sa.select(Version.package_key).where(Version.model_id == model.id))]
