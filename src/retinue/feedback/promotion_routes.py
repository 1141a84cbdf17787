"""Which version answers from now on: by an admin's reason, by the rule, or back to the one before."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import ConfigDict

from retinue.accounts.access import Admin
from retinue.accounts.shapes import Shape
from retinue.base.database import Database, Transaction
from retinue.base.documents import just_one
from retinue.base.errors import Invalid
from retinue.base.parts import part
from retinue.base.settings import Settings
from retinue.base.words import Said
from retinue.catalog import routes as catalog_routes
from retinue.catalog import versions
from retinue.catalog.serving import Catalog, model_named, version_numbered
from retinue.catalog.shapes import ModelWhole
from retinue.catalog.switching import switch_to
from retinue.catalog.tables import Version
from retinue.catalog.versions import NothingBefore
from retinue.credits.prices import Prices
from retinue.feedback.comparing import compare
from retinue.feedback.promoting import NotBetter, Rule, Stay, decide
from retinue.vision.engine import Engine

routes = APIRouter(prefix="/api/v1/models", tags=["models"])
Db = Annotated[Database, part(Database)]
CatalogPart = Annotated[Catalog, part(Catalog)]
Eye = Annotated[Engine, part(Engine)]
PricesPart = Annotated[Prices, part(Prices)]


class Activation(Shape):
    """A reason, or the rule that is to decide: `better` on enough judged pictures than the active version."""

    model_config = ConfigDict(json_schema_extra=just_one(reason="string", rule="string"))

    reason: Said | None = None
    rule: Rule | None = None


class RollBack(Shape):
    reason: Said = "roll-back"


@routes.post("/{name}/versions/{version}/activate")
async def activate_version(
    name: str,
    version: str,
    told: Activation,
    db: Db,
    catalog: CatalogPart,
    eye: Eye,
    prices: PricesPart,
    settings: Annotated[Settings, part(Settings)],
    admin: Admin,
) -> ModelWhole:
    """From now on this version answers. Loaded and warm before it is switched to."""
    if (told.reason is None) is (told.rule is None):
        raise Invalid('Give a reason, or the rule that is to decide: {"rule": "better"}')
    reason, instead_of = told.reason or "", None
    facts: dict[str, Any] = {}
    if told.rule is not None:
        least = settings.promotion_pictures
        reason, facts, instead_of = await db.read(lambda now: _by_rule(now, name, version, least=least))
    await switch_to(
        db, catalog, eye, name, version, by=admin.user_id, reason=reason, facts=facts, instead_of=instead_of
    )
    return await catalog_routes.get_model(name, db, eye, prices, admin)


@routes.post("/{name}/rollback")
async def roll_back(
    name: str, db: Db, catalog: CatalogPart, eye: Eye, prices: PricesPart, admin: Admin, told: RollBack | None = None
) -> ModelWhole:
    """Back to the version that answered before the active one."""
    active, before = await db.read(lambda now: _version_before(now, name))
    reason, facts = (told or RollBack()).reason, {"roll_back": True}
    await switch_to(db, catalog, eye, name, before, by=admin.user_id, reason=reason, facts=facts, instead_of=active)
    return await catalog_routes.get_model(name, db, eye, prices, admin)


def _by_rule(now: Transaction, name: str, version: str, *, least: int) -> tuple[str, dict[str, Any], str]:
    """Words for the audit trail, the counts behind them, and the version that was compared with."""
    model = model_named(now, name)
    candidate = version_numbered(now, model, version)
    active = now.first(sa.select(Version).where(Version.id == model.active_version_id))
    if active is None or active.id == candidate.id:
        raise NotBetter(f"There is no other active version of {name} to be better than")
    compared = compare(now, model, active, candidate)
    decision = decide(compared, least=least)
    counts = {"pictures": compared.pictures, "right": compared.b.right, "right_before": compared.a.right}
    if isinstance(decision, Stay):
        raise NotBetter(decision.words, **counts)
    return decision.words, {"rule": "better", **counts}, active.id


def _version_before(now: Transaction, name: str) -> tuple[str, str]:
    """The id of the active version, and the number of the one it took over from."""
    model = model_named(now, name)
    active = now.first(sa.select(Version).where(Version.id == model.active_version_id))
    before = None if active is None else versions.version_before(now, active)
    if active is None or before is None:
        raise NothingBefore()
    return active.id, before.label
