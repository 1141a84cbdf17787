"""Every rule of the books notices when it is broken, behind the back of the code that keeps it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.credits import ledger
from retinue.credits.verifying import Violation, verify

Somebody = Callable[..., str]
INSERT = (
    "INSERT INTO credit_entries (id, user_id, number, kind, amount, balance_before, balance_after, held_before,"
    " held_after, operation, operation_id, hold_id, part, charge_id, actor, description, created_at)"
)


def _life(database: Database, user: str) -> None:
    """A settled request with a refund, and a job's hold with one charge that is still open."""

    def live(now: Transaction) -> None:
        held = ledger.hold(now, user, 3_00, operation="p", operation_id="p", expires_at=now.time)
        charge = ledger.settle(now, held, 2_75)
        ledger.refund(now, charge, 1_00, actor="admin", reason="x")
        job = ledger.hold(now, user, 10_00, operation="j", operation_id="j", expires_at=None)
        ledger.charge(now, job.id, 1_00, part="0")

    database.write_now(live)


def _unguard(now: Transaction) -> None:
    if now.connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            now.execute(sa.text(f"DROP TRIGGER credit_entries_no_{verb}"))
        now.execute(sa.text("PRAGMA ignore_check_constraints = ON"))
    else:
        now.execute(sa.text("ALTER TABLE credit_entries DISABLE TRIGGER USER"))
        now.execute(sa.text("ALTER TABLE credit_entries DROP CONSTRAINT ck_credit_entries_effect_of_kind"))
        now.execute(sa.text("ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_available_not_negative"))
        now.execute(sa.text("ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_held_not_negative"))


def _rules(database: Database) -> set[str]:
    return {violation.rule for violation in database.read_now(verify)}


@pytest.mark.parametrize(
    ("rules", "tampering"),
    [
        ({"I1", "I2"}, "UPDATE credit_accounts SET balance = balance + 1"),
        ({"I3"}, "UPDATE credit_accounts SET held = held - 1"),
        ({"I3", "I4"}, "UPDATE credit_accounts SET held = balance + 1"),
        ({"I3", "I5", "I6"}, "DELETE FROM credit_open_holds"),
        ({"I5"}, "UPDATE credit_entries SET hold_id = 'x' WHERE kind = 'charge' AND part = '0'"),
        ({"I5"}, "UPDATE credit_entries SET kind = 'adjust' WHERE kind = 'release'"),
        ({"I3", "I6"}, 'UPDATE credit_open_holds SET "left" = "left" + 1'),
        ({"I7"}, "UPDATE credit_entries SET amount = 276 WHERE kind = 'refund'"),
        ({"I11"}, "DELETE FROM credit_entries WHERE kind = 'refund'"),
        ({"I11"}, "UPDATE credit_entries SET balance_before = balance_before + 1 WHERE kind = 'charge'"),
        ({"I1", "I2", "I6"}, "UPDATE credit_entries SET amount = amount + 1 WHERE kind = 'charge' AND part = ''"),
    ],
)
def test_tampering_is_noticed(database: Database, somebody: Somebody, rules: set[str], tampering: str) -> None:
    _life(database, somebody(100_00))
    database.write_now(_unguard)
    assert _rules(database) == {"I11"}  # the guards themselves are missed
    database.write_now(lambda now: now.execute(sa.text(tampering)))
    assert rules <= _rules(database)


def test_a_charge_in_two_parts_of_one_name_is_noticed(database: Database, somebody: Somebody) -> None:
    _life(database, somebody(100_00))

    def double(now: Transaction) -> None:
        _unguard(now)
        now.execute(sa.text("DROP INDEX uq_credit_entries_one_charge_per_part"))
        columns = INSERT[INSERT.index("(") + 1 : -1].split(", ", 3)
        now.execute(sa.text(f"{INSERT} SELECT 'copy', user_id, 99, {columns[3]} FROM credit_entries WHERE part = '0'"))

    database.write_now(double)
    assert {"I2", "I3", "I5", "I6", "I11"} <= _rules(database)


def test_a_hold_nobody_sweeps_is_noticed_after_a_while(database: Database, somebody: Somebody, clock: SetClock) -> None:
    user = somebody(100_00)
    database.write_now(
        lambda now: ledger.hold(
            now, user, 1, operation="p", operation_id="p", expires_at=now.time + timedelta(seconds=60)
        )
    )
    clock.advance(seconds=120)
    assert _rules(database) == set()
    clock.advance(seconds=1)
    assert _rules(database) == {"I10"}


def test_other_rooms_add_what_they_know(database: Database) -> None:
    missing = Violation("I8", "prediction 1", "has no charge")
    assert database.read_now(lambda now: verify(now, more=[lambda now: [missing]])) == [missing]
