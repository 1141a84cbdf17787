"""What a user sees of their own credits."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from retinue.accounts.access import Identity, may
from retinue.base.database import Database
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.credits import ledger
from retinue.credits.ledger import Balance
from retinue.credits.shapes import CreditsField
from retinue.credits.statement import Kind, Status, Told, statement

routes = APIRouter(prefix="/api/v1/me", tags=["credits"])
Reader = Annotated[Identity, may("credits:read")]
Db = Annotated[Database, part(Database)]


class BalanceShown(BaseModel):
    """`available` is what new work may spend: the balance less what running work has set aside."""

    balance: CreditsField
    held: CreditsField
    available: CreditsField


class Transaction(BaseModel):
    """One entry of the ledger. `amount` is positive but for an `adjust` downwards; the kind says what it did."""

    id: str
    kind: Kind
    operation: str
    operation_id: str
    amount: CreditsField
    balance_before: CreditsField
    balance_after: CreditsField
    held_before: CreditsField
    held_after: CreditsField
    hold_id: str | None
    status: Status
    description: str
    actor: str
    created_at: AwareDatetime


@routes.get("/credits")
async def my_credits(caller: Reader, database: Db) -> BalanceShown:
    return balance_shown(await database.read(lambda now: ledger.balance(now, caller.user_id)))


@routes.get("/transactions")
async def my_transactions(
    caller: Reader,
    database: Db,
    page: Paging,
    kind: Annotated[list[Kind], Query(description="Only these kinds; without it all.")] = [],  # noqa: B006 FastAPI copies it
) -> Page[Transaction]:
    """Every entry of your account, latest first."""
    told, next_cursor = await database.read(lambda now: statement(now, caller.user_id, page, kinds=kind))
    return Page(items=[transaction_shown(one) for one in told], next_cursor=next_cursor)


def balance_shown(has: Balance) -> BalanceShown:
    return BalanceShown(balance=has.balance, held=has.held, available=has.available)


def transaction_shown(told: Told) -> Transaction:
    fields: dict[str, Any] = {name: getattr(told.entry, name) for name in Transaction.model_fields if name != "status"}
    return Transaction(**fields, status=told.status)
