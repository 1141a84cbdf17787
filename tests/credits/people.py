"""People for tests of the ledger, put straight into their table."""

from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.credits import ledger


def a_user(now: Transaction, hundredths: int = 0) -> str:
    user_id = new_id()
    now.insert(
        User,
        {
            "id": user_id,
            "email": f"{user_id}@example.com",
            "name": "Ada",
            "surname": "Lovelace",
            "employee_number": None,
            "password_hash": "",
            "role": "user",
            "active": True,
            "created_at": now.time,
            "updated_at": now.time,
            "deleted_at": None,
        },
    )
    ledger.open_account(now, user_id)
    if hundredths:
        ledger.topup(now, user_id, hundredths)
    return user_id
