"""Models and their versions: what everybody may see, and what admins decide."""

from typing import Annotated, Any, get_args

import sqlalchemy as sa
from fastapi import APIRouter, Request

from retinue.accounts.access import Admin, Identity, may
from retinue.base.database import Database, Transaction
from retinue.base.errors import Invalid
from retinue.base.paging import Asked as PageAsked
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.catalog import versions
from retinue.catalog.arriving import Intake, Source, take_in
from retinue.catalog.publishing import Published
from retinue.catalog.serving import Catalog, model_named, version_numbered
from retinue.catalog.shapes import (
    ModelChange,
    ModelShown,
    ModelWhole,
    TakenIn,
    VersionShown,
    model_shown,
    shadow_shown,
    speeds,
    version_shown,
)
from retinue.catalog.tables import Model, Version
from retinue.credits.prices import Prices
from retinue.credits.shapes import as_hundredths
from retinue.vision.engine import Engine
from retinue.vision.importing.told import Pixels
from retinue.vision.package import Task

routes = APIRouter(prefix="/api/v1/models", tags=["models"])
Reader = Annotated[Identity, may("predict")]
Db = Annotated[Database, part(Database)]
CatalogPart = Annotated[Catalog, part(Catalog)]
PricesPart = Annotated[Prices, part(Prices)]


IntakePart = Annotated[Intake, part(Intake)]
_FACTS = {
    "name": {"type": "string", "description": "Lower-case letters, digits, dots, dashes; unset: the file's name."},
    "task": {"enum": [*get_args(Task)]},
    "labels": {"type": "string", "description": "One a line, or a JSON array."},
    "size": {"type": "string", "pattern": "^[1-9][0-9]{0,4}[xX][1-9][0-9]{0,4}$", "description": "640x480"},
    "pixels": {"enum": [*get_args(Pixels)]},
    "licence": {"type": "string"},
}
_MODEL: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **_FACTS,
                    },
                    "required": ["file"],
                }
            },
            "application/json": {"schema": Source.model_json_schema()},
        },
    }
}


class UnknownClass(Invalid):
    code = "unknown-class"
    title = "The model has no such class"


@routes.get("")
async def list_models(
    db: Db, eye: Annotated[Engine, part(Engine)], prices: PricesPart, _: Reader, asked: Paging
) -> Page[ModelShown]:
    """Models by name, with what a caller must know: task, input, labels, price, active version, speed."""
    measured = speeds(eye)
    rows, next_cursor = await db.read(lambda now: _models_with_active(now, asked))
    shown = [model_shown(model, active, prices, measured) for model, active in rows]
    return Page(items=shown, next_cursor=next_cursor)


@routes.get("/{name}")
async def get_model(
    name: str, db: Db, eye: Annotated[Engine, part(Engine)], prices: PricesPart, _: Reader
) -> ModelWhole:
    """One model and all of its versions, the newest first."""

    def find(now: Transaction) -> tuple[Model, list[Version]]:
        model = model_named(now, name)
        own = sa.select(Version).where(Version.model_id == model.id).order_by(Version.number.desc())
        return model, now.all(own)

    model, own = await db.read(find)
    active = next((version for version in own if version.id == model.active_version_id), None)
    shown = model_shown(model, active, prices, speeds(eye))
    return ModelWhole(
        **dict(shown), shadow=shadow_shown(model), versions=[version_shown(version, model) for version in own]
    )


@routes.post("", status_code=201, openapi_extra=_MODEL)
async def add_model(request: Request, intake: IntakePart, admin: Admin) -> TakenIn:
    """A new model from a file (form part `file`, facts beside it) or a source; active once its intake test answered."""
    return _taken(await take_in(request, intake, name=None, by=admin.user_id))


@routes.get("/{name}/versions")
async def list_versions(name: str, db: Db, _: Reader, asked: Paging) -> Page[VersionShown]:
    def find(now: Transaction) -> tuple[Model, list[Version], str | None]:
        model = model_named(now, name)
        own = sa.select(Version).where(Version.model_id == model.id)
        rows, next_cursor = asked.newest_first(now, own, Version.id, of="versions")
        return model, rows, next_cursor

    model, rows, next_cursor = await db.read(find)
    return Page(items=[version_shown(version, model) for version in rows], next_cursor=next_cursor)


@routes.post("/{name}/versions", status_code=201, openapi_extra=_MODEL)
async def add_version(
    name: str,
    request: Request,
    intake: IntakePart,
    db: Db,
    catalog: CatalogPart,
    admin: Admin,
) -> TakenIn:
    """Another version of a model; it answers only when it is activated."""
    await db.read(lambda now: model_named(now, name))
    published = await take_in(request, intake, name=name, by=admin.user_id)
    catalog.forget(name)
    return _taken(published)


@routes.patch("/{name}")
async def change_model(
    name: str,
    change: ModelChange,
    db: Db,
    catalog: CatalogPart,
    eye: Annotated[Engine, part(Engine)],
    prices: PricesPart,
    admin: Admin,
) -> ModelWhole:
    """Price, thresholds per class, on or off, and which version shadows the active one."""
    values: dict[str, Any] = change.model_dump(exclude_unset=True, exclude={"price", "shadow"})
    if "price" in change.model_fields_set:
        values["price"] = None if change.price is None else as_hundredths(change.price)
    if change.thresholds:
        await db.read(lambda now: _check_thresholds(now, name, change.thresholds))

    def write(now: Transaction) -> None:
        model, shadow = model_named(now, name), change.shadow
        if shadow is not None:
            versions.shadow(now, model, version_numbered(now, model, shadow.version), shadow.percent, by=admin.user_id)
        elif "shadow" in change.model_fields_set:
            versions.end_shadow(now, model, by=admin.user_id)
        if values:
            versions.change(now, model, values, by=admin.user_id)

    if change.model_fields_set:
        await db.write(write)
        catalog.forget(name)
    return await get_model(name, db, eye, prices, admin)


@routes.post("/{name}/versions/{version}/retire")
async def retire_version(
    name: str,
    version: str,
    db: Db,
    catalog: CatalogPart,
    eye: Annotated[Engine, part(Engine)],
    prices: PricesPart,
    admin: Admin,
) -> ModelWhole:
    """Never to answer again, not even when asked for by number."""

    def close(now: Transaction) -> None:
        model = model_named(now, name)
        versions.retire(now, model, version_numbered(now, model, version), by=admin.user_id)

    await db.write(close)
    catalog.forget(name)
    return await get_model(name, db, eye, prices, admin)


def _taken(published: Published) -> TakenIn:
    return TakenIn(model=published.model, version=str(published.number), intake=dict(published.intake))


def _check_thresholds(now: Transaction, name: str, thresholds: dict[str, float]) -> None:
    model = model_named(now, name)
    known = {
        label
        for version in now.all(sa.select(Version).where(Version.model_id == model.id))
        for label in version.manifest["labels"]
    }
    if unknown := sorted(set(thresholds) - known):
        raise UnknownClass(f"{name} has no class called {unknown[0]!r}")


def _models_with_active(now: Transaction, asked: PageAsked) -> tuple[list[tuple[Model, Version | None]], str | None]:
    wanted = sa.select(Model).order_by(Model.name).limit(asked.limit + 1)
    if (after := asked.after(str, of="models")) is not None:
        wanted = wanted.where(Model.name > after[0])
    models, next_cursor = asked.cut(now.all(wanted), lambda model: (model.name,), of="models")
    ids = [model.active_version_id for model in models if model.active_version_id]
    active = {version.id: version for version in now.all(sa.select(Version).where(Version.id.in_(ids)))}
    return [(model, active.get(model.active_version_id or "")) for model in models], next_cursor
