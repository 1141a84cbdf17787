"""How credits are held, charged, given back and mended; and what the database itself refuses."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.base.errors import Invalid
from retinue.credits import ledger
from retinue.credits.ledger import (
    Balance,
    ChargedAlready,
    ChargeTooLarge,
    Hold,
    HoldResolved,
    NoSuchEntry,
    NotEnoughCredits,
    RefundTooLarge,
    TooManyCredits,
)
from retinue.credits.tables import MOST, Entry, OpenHold
from retinue.credits.verifying import verify

Somebody = Callable[..., str]


def _hold(database: Database, user: str, amount: int, *, seconds: float | None = None) -> Hold:
    def ask(now: Transaction) -> Hold:
        expires_at = None if seconds is None else now.time + timedelta(seconds=seconds)
        return ledger.hold(now, user, amount, operation="predict", operation_id="p1", expires_at=expires_at)

    return database.write_now(ask)


def _balance(database: Database, user: str) -> Balance:
    return database.read_now(lambda now: ledger.balance(now, user))


def _kinds(database: Database, user: str) -> list[tuple[str, int]]:
    wanted = sa.select(Entry).where(Entry.user_id == user).order_by(Entry.number)
    return database.read_now(lambda now: [(entry.kind, entry.amount) for entry in now.all(wanted)])


class TestHolding:
    def test_sets_the_price_aside(self, database: Database, somebody: Somebody) -> None:
        user = somebody(100_00)
        _hold(database, user, 2_75)
        assert _balance(database, user) == Balance(balance=100_00, held=2_75)
        assert _balance(database, user).available == 97_25

    def test_is_refused_where_too_little_is_available_and_writes_nothing(
        self, database: Database, somebody: Somebody
    ) -> None:
        user = somebody(3_00)
        _hold(database, user, 2_75)
        with pytest.raises(NotEnoughCredits) as refusal:
            _hold(database, user, 2_75)
        assert refusal.value.facts == {"needed": 2.75, "available": 0.25}
        assert _balance(database, user) == Balance(balance=3_00, held=2_75)
        assert _kinds(database, user) == [("topup", 3_00), ("hold", 2_75)]
        assert database.read_now(lambda now: now.value(sa.select(sa.func.count()).select_from(OpenHold))) == 1

    def test_takes_the_very_last_hundredth(self, database: Database, somebody: Somebody) -> None:
        user = somebody(2_75)
        _hold(database, user, 2_75)
        assert _balance(database, user).available == 0

    def test_needs_an_account(self, database: Database) -> None:
        with pytest.raises(NoSuchEntry):
            _hold(database, "nobody", 1)


class TestSettling:
    def test_charges_and_gives_the_rest_back(self, database: Database, somebody: Somebody) -> None:
        user = somebody(100_00)
        held = _hold(database, user, 5_00)
        database.write_now(lambda now: ledger.settle(now, held, 2_75))
        assert _balance(database, user) == Balance(balance=97_25, held=0)
        assert _kinds(database, user)[1:] == [("hold", 5_00), ("charge", 2_75), ("release", 2_25)]

    def test_tells_the_whole_story_in_each_entry(self, database: Database, somebody: Somebody, clock: SetClock) -> None:
        user = somebody(100_00)
        held = _hold(database, user, 2_75)
        charge_id = database.write_now(lambda now: ledger.settle(now, held, 2_75, description="efficientnet-lite0"))
        entry = database.read_now(lambda now: now.first(sa.select(Entry).where(Entry.id == charge_id)))
        assert entry is not None
        assert (entry.balance_before, entry.balance_after) == (100_00, 97_25)
        assert (entry.held_before, entry.held_after) == (2_75, 0)
        assert (entry.operation, entry.operation_id, entry.hold_id) == ("predict", "p1", held.id)
        assert (entry.actor, entry.description, entry.created_at) == (user, "efficientnet-lite0", clock.now())

    def test_happens_once(self, database: Database, somebody: Somebody) -> None:
        held = _hold(database, somebody(100_00), 2_75)
        database.write_now(lambda now: ledger.settle(now, held, 2_75))
        with pytest.raises(HoldResolved):
            database.write_now(lambda now: ledger.settle(now, held, 2_75))
        assert _balance(database, held.user_id) == Balance(balance=97_25, held=0)

    def test_never_takes_more_than_was_held(self, database: Database, somebody: Somebody) -> None:
        held = _hold(database, somebody(100_00), 2_75)
        with pytest.raises(ChargeTooLarge):
            database.write_now(lambda now: ledger.settle(now, held, 2_76))
        assert _balance(database, held.user_id) == Balance(balance=100_00, held=2_75)


class TestChargingInParts:
    def test_takes_each_part_once(self, database: Database, somebody: Somebody) -> None:
        held = _hold(database, somebody(100_00), 10_00)
        database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="0"))
        database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="1"))
        with pytest.raises(ChargedAlready):
            database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="1"))
        assert _balance(database, held.user_id) == Balance(balance=94_50, held=4_50)

    def test_stops_at_what_was_held(self, database: Database, somebody: Somebody) -> None:
        held = _hold(database, somebody(100_00), 3_00)
        database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="0"))
        with pytest.raises(ChargeTooLarge):
            database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="1"))

    def test_ends_with_the_hold(self, database: Database, somebody: Somebody) -> None:
        held = _hold(database, somebody(100_00), 10_00)
        database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="0"))
        assert database.write_now(lambda now: ledger.close(now, held.id, because="aborted")) == 7_25
        with pytest.raises(HoldResolved) as late:
            database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="1"))
        assert late.value.facts["because"] == "aborted"
        assert _balance(database, held.user_id) == Balance(balance=97_25, held=0)

    def test_needs_a_hold(self, database: Database) -> None:
        with pytest.raises(NoSuchEntry):
            database.write_now(lambda now: ledger.charge(now, "nothing", 1))


class TestExpiring:
    def test_releases_a_live_hold_after_its_time(self, database: Database, somebody: Somebody, clock: SetClock) -> None:
        held = _hold(database, somebody(10_00), 2_75, seconds=60)
        clock.advance(seconds=59)
        assert database.read_now(ledger.expired_holds) == []
        assert database.write_now(lambda now: ledger.expire(now, held.id)) is None
        clock.advance(seconds=1)
        assert database.read_now(ledger.expired_holds) == [held.id]
        assert database.write_now(lambda now: ledger.expire(now, held.id)) == 2_75
        assert database.write_now(lambda now: ledger.expire(now, held.id)) is None
        with pytest.raises(HoldResolved):
            database.write_now(lambda now: ledger.settle(now, held, 2_75))

    def test_leaves_a_jobs_hold_alone(self, database: Database, somebody: Somebody, clock: SetClock) -> None:
        held = _hold(database, somebody(10_00), 2_75)
        clock.advance(days=365)
        assert database.read_now(ledger.expired_holds) == []
        assert database.write_now(lambda now: ledger.expire(now, held.id)) is None


class TestMending:
    def test_refunds_a_charge_up_to_its_amount(self, database: Database, somebody: Somebody) -> None:
        user = somebody(100_00)
        held = _hold(database, user, 2_75)
        charge = database.write_now(lambda now: ledger.settle(now, held, 2_75))
        database.write_now(lambda now: ledger.refund(now, charge, 2_00, actor="admin", reason="blurred"))
        with pytest.raises(RefundTooLarge) as refusal:
            database.write_now(lambda now: ledger.refund(now, charge, 1_00, actor="admin", reason="again"))
        assert refusal.value.facts == {"left": 0.75}
        database.write_now(lambda now: ledger.refund(now, charge, 75, actor="admin", reason="the rest"))
        assert _balance(database, user) == Balance(balance=100_00, held=0)

    def test_refunds_nothing_but_charges(self, database: Database, somebody: Somebody) -> None:
        held = _hold(database, somebody(100_00), 2_75)
        with pytest.raises(NoSuchEntry):
            database.write_now(lambda now: ledger.refund(now, held.id, 1, actor="admin", reason="no"))

    def test_adjusts_up_and_down_but_never_into_what_is_held(self, database: Database, somebody: Somebody) -> None:
        user = somebody(10_00)
        _hold(database, user, 4_00)
        database.write_now(lambda now: ledger.adjust(now, user, -6_00, actor="admin", reason="typo"))
        with pytest.raises(NotEnoughCredits):
            database.write_now(lambda now: ledger.adjust(now, user, -1, actor="admin", reason="typo"))
        database.write_now(lambda now: ledger.adjust(now, user, 1_00, actor="admin", reason="typo"))
        assert _balance(database, user) == Balance(balance=5_00, held=4_00)

    def test_never_makes_more_than_can_be_told_exactly(self, database: Database, somebody: Somebody) -> None:
        user = somebody(MOST)
        with pytest.raises(TooManyCredits):
            database.write_now(lambda now: ledger.topup(now, user, 1))

    @pytest.mark.parametrize("amount", [0, -1])
    def test_tops_up_by_more_than_nothing(self, database: Database, somebody: Somebody, amount: int) -> None:
        user = somebody()
        with pytest.raises(Invalid):
            database.write_now(lambda now: ledger.topup(now, user, amount))


class TestTheDatabaseItself:
    """Guards below the code: what a careless statement at the console meets."""

    @pytest.mark.parametrize(
        "statement", ["UPDATE credit_entries SET amount = 1", "DELETE FROM credit_entries WHERE number = 1"]
    )
    def test_refuses_to_change_or_remove_an_entry(self, database: Database, somebody: Somebody, statement: str) -> None:
        somebody(1_00)
        with pytest.raises(sa.exc.IntegrityError, match="append-only"):
            database.write_now(lambda now: now.execute(sa.text(statement)))

    @pytest.mark.parametrize("change", ["held = -1", "held = balance + 1", f"balance = {MOST + 1}"])
    def test_refuses_an_impossible_account(self, database: Database, somebody: Somebody, change: str) -> None:
        somebody(1_00)
        with pytest.raises(sa.exc.IntegrityError):
            database.write_now(lambda now: now.execute(sa.text(f"UPDATE credit_accounts SET {change}")))

    def test_refuses_an_entry_whose_effect_is_not_its_kinds(self, database: Database, somebody: Somebody) -> None:
        user = somebody(1_00)
        forged = (
            "INSERT INTO credit_entries SELECT 'x', user_id, 2, kind, amount, balance_after, balance_after + 1,"
            " held_before, held_after, operation, operation_id, hold_id, part, charge_id, actor, description,"
            " created_at FROM credit_entries WHERE user_id = :user"
        )
        with pytest.raises(sa.exc.IntegrityError):
            database.write_now(lambda now: now.execute(sa.text(forged), {"user": user}))

    def test_keeps_a_clean_book_clean(self, database: Database, somebody: Somebody) -> None:
        user = somebody(100_00)
        held = _hold(database, user, 10_00)
        database.write_now(lambda now: ledger.charge(now, held.id, 2_75, part="0"))
        assert database.read_now(verify) == []
