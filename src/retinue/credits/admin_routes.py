"""What admins do about credits: recharge, mend, refund, add up, verify. Every deed is audited."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from retinue.accounts import audit, people
from retinue.accounts.access import Admin
from retinue.accounts.shapes import Shape
from retinue.base.database import Database, Transaction
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.words import Moment, Said
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Answer, IdempotencyKey
from retinue.credits.routes import BalanceShown, balance_shown, transaction_shown
from retinue.credits.routes import Transaction as TransactionShown
from retinue.credits.shapes import CreditsField, CreditsGiven, RefundGiven, as_credits, as_hundredths
from retinue.credits.statement import GroupBy, entry_told, everybodys, sums
from retinue.credits.verifying import LedgerChecks, verify

routes = APIRouter(prefix="/api/v1/admin", tags=["admin"])
Db = Annotated[Database, part(Database)]


class Recharge(Shape):
    """A positive amount is a top-up, a negative one a correction (`adjust`)."""

    amount: CreditsGiven
    reason: Said


class Refund(Shape):
    """Without an amount: all of the charge that was not refunded yet."""

    amount: RefundGiven | None = None
    reason: Said


class UserCredits(BalanceShown):
    user_id: str
    email: str


class SumsShown(BaseModel):
    key: str
    charged: CreditsField
    refunded: CreditsField
    topped_up: CreditsField
    adjusted: CreditsField
    entries: int


class Grouped(BaseModel):
    group_by: GroupBy
    items: list[SumsShown]


class ViolationShown(BaseModel):
    rule: str
    about: str
    words: str


class Verdict(BaseModel):
    ok: bool
    violations: list[ViolationShown]


@routes.get("/users/{email}/credits")
async def show_user_credits(email: str, _admin: Admin, database: Db) -> UserCredits:
    """The address or the id of a user will do."""
    return await database.read(lambda now: _credits_of(now, user_id_of(now, email)))


@routes.post("/users/{email}/credits", response_model=UserCredits)
async def recharge_user(
    email: str, ask: Recharge, admin: Admin, database: Db, request: Request, key: IdempotencyKey
) -> Response:
    """Add credits to somebody's account, or take back what was added by mistake."""
    once = idempotency.once(request, key, idempotency.fingerprint(_as_parsed(ask)))

    def add(now: Transaction) -> Answer:
        user_id = user_id_of(now, email)
        recharge(now, user_id, as_hundredths(ask.amount), actor=admin.user_id, reason=ask.reason)
        return _answer(_credits_of(now, user_id))

    done = await database.write(lambda now: idempotency.run_once(now, admin.user_id, once, add))
    return done.response()


@routes.get("/transactions")
async def all_transactions(
    _admin: Admin,
    database: Db,
    page: Paging,
    group_by: Annotated[GroupBy | None, Query(description="Sums instead of single entries.")] = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Up to, without.")] = None,
) -> Grouped | Page[TransactionShown]:
    """Everybody's entries, latest first; or their sums by user, day (UTC) or operation."""
    if group_by is None:
        told, next_cursor = await database.read(lambda now: everybodys(now, page, since=since, until=until))
        return Page(items=[transaction_shown(one) for one in told], next_cursor=next_cursor)
    rows = await database.read(lambda now: sums(now, group_by=group_by, since=since, until=until))
    return Grouped(group_by=group_by, items=[SumsShown.model_validate(row, from_attributes=True) for row in rows])


@routes.post("/transactions/{charge_id}/refund", status_code=201, response_model=TransactionShown)
async def refund_charge(
    charge_id: str, ask: Refund, admin: Admin, database: Db, request: Request, key: IdempotencyKey
) -> Response:
    """Give back a charge, or a part of it. All refunds of a charge together never exceed it."""
    once = idempotency.once(request, key, idempotency.fingerprint(_as_parsed(ask)))

    def give_back(now: Transaction) -> Answer:
        amount = ledger.refundable(now, charge_id) if ask.amount is None else as_hundredths(ask.amount)
        refund = ledger.refund(now, charge_id, amount, actor=admin.user_id, reason=ask.reason)
        facts = {"amount": as_credits(amount), "reason": ask.reason}
        audit.record(now, admin.user_id, "credits.refund", charge_id, facts)
        return _answer(transaction_shown(entry_told(now, refund)), status=201)

    done = await database.write(lambda now: idempotency.run_once(now, admin.user_id, once, give_back))
    return done.response()


@routes.get("/ledger/verify")
async def verify_ledger(_admin: Admin, database: Db, checks: Annotated[LedgerChecks, part(LedgerChecks)]) -> Verdict:
    """Recompute every balance, hold and refund from the entries. It reads a million entries in some seconds."""
    found = await database.read(lambda now: verify(now, more=checks.more))
    shown = [ViolationShown.model_validate(one, from_attributes=True) for one in found]
    return Verdict(ok=not shown, violations=shown)


def recharge(now: Transaction, user_id: str, hundredths: int, *, actor: str, reason: str) -> None:
    """Upwards a top-up, downwards a correction; the command line does the same."""
    move = ledger.topup if hundredths > 0 else ledger.adjust
    move(now, user_id, hundredths, actor=actor, reason=reason)
    audit.record(now, actor, "credits.add", user_id, {"amount": as_credits(hundredths), "reason": reason})


def user_id_of(now: Transaction, email_or_id: str) -> str:
    found = people.by_email(now, email_or_id.strip().lower())
    return people.by_id(now, email_or_id).id if found is None else found.id


def _credits_of(now: Transaction, user_id: str) -> UserCredits:
    user, has = people.by_id(now, user_id), ledger.balance(now, user_id)
    return UserCredits(user_id=user.id, email=user.email, **balance_shown(has).__dict__)


def _as_parsed(ask: Recharge | Refund) -> dict[str, Any]:
    """1, 1.0 and 1.00 are one amount."""
    return {"amount": None if ask.amount is None else as_hundredths(ask.amount), "reason": ask.reason}


def _answer(shown: BaseModel, *, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(shown.model_dump(mode="json")))
