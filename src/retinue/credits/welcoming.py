"""What everybody starts with: an account, and the credits that the settings give."""

from collections.abc import Callable

from retinue.base.database import Transaction
from retinue.credits import ledger


def welcome(gift: int) -> Callable[[Transaction, str], None]:
    """For the room of accounts, which calls it in the transaction that makes a person."""

    def open_for(now: Transaction, user_id: str) -> None:
        ledger.open_account(now, user_id)
        if gift:
            ledger.topup(now, user_id, gift, reason="welcome")

    return open_for
