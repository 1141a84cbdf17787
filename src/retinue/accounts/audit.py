"""The trail of what was done with power: who, what, to whom, with which facts. Written with the deed, never changed."""

from typing import Any

from retinue.accounts.tables import Deed
from retinue.base.database import Transaction
from retinue.base.ids import new_id

CONSOLE = "console"  # somebody with the machine itself in their hands


def record(now: Transaction, actor: str, action: str, subject: str, facts: dict[str, Any] | None = None) -> None:
    """`action` is thing.verb (`user.disable`); `facts` are JSON and hold no secret."""
    deed = {"id": new_id(), "time": now.time, "actor": actor, "action": action, "subject": subject}
    now.insert(Deed, {**deed, "facts": facts or {}})
