"""When somebody is told that credits run low: once, and again only after they were topped up or clearly recovered."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.credits.shapes import as_credits
from retinue.credits.tables import Account
from retinue.webhooks.events import Event, tell_one
from retinue.webhooks.tables import Webhook

EVENT: Event = "credits.low"
# Holds come and go with every request: by itself only twice the threshold counts as recovered.
RECOVERED = 2
_AVAILABLE = Account.balance - Account.held


def is_due(now: Transaction, below: int) -> bool:
    return any(now.value(look.limit(1)) is not None for look in (_low(below), _recovered(below)))


def tell_once(now: Transaction, below: int) -> int:
    """How many were told. Of many nodes one tells: the mark is set under its own guard."""
    now.execute(sa.update(Webhook).where(Webhook.id.in_(_recovered(below))).values(low_balance=None))
    return sum(_mark_and_tell(now, row, below) for row in _rows(now, _low(below)))


def _mark_and_tell(now: Transaction, account: sa.Row[Any], below: int) -> bool:
    unmarked = sa.update(Webhook).where(Webhook.id == account.id, Webhook.low_balance.is_(None))
    if not now.changed(unmarked.values(low_balance=account.balance)):
        return False
    webhook = now.first(sa.select(Webhook).where(Webhook.id == account.id))
    assert webhook is not None, "it was just changed"
    if not webhook.wants(EVENT):
        return False
    facts = {
        "balance": account.balance,
        "held": account.held,
        "available": account.balance - account.held,
        "threshold": below,
    }
    tell_one(now, webhook, EVENT, {name: as_credits(amount) for name, amount in facts.items()})
    return True


def _low(below: int) -> sa.Select[Any]:
    return _with_accounts().where(Webhook.low_balance.is_(None), Webhook.disabled_at.is_(None), below > _AVAILABLE)


def _recovered(below: int) -> sa.Select[Any]:
    """A balance rises by nothing but credits that were put in."""
    topped_up = sa.and_(below <= _AVAILABLE, Account.balance > Webhook.low_balance)
    return _with_accounts().where(Webhook.low_balance.is_not(None), sa.or_(topped_up, RECOVERED * below <= _AVAILABLE))


def _with_accounts() -> sa.Select[Any]:
    return sa.select(Webhook.id).join(Account, Account.user_id == Webhook.user_id)


def _rows(now: Transaction, found: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    return now.rows(found.add_columns(Account.balance, Account.held))
