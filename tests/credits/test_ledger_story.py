"""Any story of the ledger, compared after every step with twenty lines that say what must be true."""

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.base.prepared import Prepared
from retinue.credits import ledger
from retinue.credits.ledger import (
    ChargedAlready,
    ChargeTooLarge,
    HoldResolved,
    NotEnoughCredits,
    RefundTooLarge,
)
from retinue.credits.tables import Account, Entry
from retinue.credits.verifying import verify
from tests.credits.people import a_user

AMOUNTS = st.integers(0, 1_000)
SOME = st.integers(1, 1_000)
OUTCOMES = (NotEnoughCredits, HoldResolved, ChargedAlready, ChargeTooLarge, RefundTooLarge)


class Model:
    """The ledger in twenty lines: who has what, which holds are open, what of each charge can be refunded."""

    def __init__(self) -> None:
        self.has: dict[str, int] = {}
        self.holds: dict[str, dict[str, Any]] = {}  # id → user, left, parts; no longer here once resolved
        self.refundable: dict[str, tuple[str, int]] = {}

    def held(self, user: str) -> int:
        return sum(hold["left"] for hold in self.holds.values() if hold["user"] == user)

    def moving(self, user: str, amount: int) -> type[Exception] | None:
        return NotEnoughCredits if self.has[user] - self.held(user) < amount else None

    def charging(self, hold: str, amount: int, part: str) -> type[Exception] | None:
        if hold not in self.holds:
            return HoldResolved
        left, parts = self.holds[hold]["left"], self.holds[hold]["parts"]
        return ChargeTooLarge if amount > left else ChargedAlready if part in parts else None

    def refunding(self, charge: str, amount: int) -> type[Exception] | None:
        return RefundTooLarge if amount > self.refundable[charge][1] else None


class _Undo(Exception):
    """Ends an example: nothing of it stays in the database."""


class LedgerStory(RuleBasedStateMachine):
    database: ClassVar[Database]
    prepare: ClassVar[Callable[[Transaction], None]] = staticmethod(lambda now: None)
    verify_every: ClassVar[int] = 1

    holds = Bundle("holds")
    charges = Bundle("charges")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.clock = SetClock()
        self.stack = ExitStack()
        self.connection = self.stack.enter_context(self.database.alone())
        self.do(self.prepare)
        self.users: list[str] = []
        self.steps = 0

    def teardown(self) -> None:
        try:
            assert verify(self.now()) == []
        finally:
            with suppress(_Undo):
                self.stack.__exit__(_Undo, _Undo(), None)

    def now(self) -> Transaction:
        return Transaction(self.connection, self.clock.now())

    def do(self, work: Callable[[Transaction], Any], *, expecting: type[Exception] | None = None) -> Any:
        """As a write does it: a refusal leaves nothing behind."""
        done, met = None, None
        try:
            with self.connection.begin_nested():
                done = work(self.now())
        except OUTCOMES as refusal:
            met = type(refusal)
        assert met is expecting
        return done

    @initialize(first=AMOUNTS, second=AMOUNTS)
    def two_people(self, first: int, second: int) -> None:
        for amount in (first, second):
            user = self.do(lambda now, amount=amount: a_user(now, amount))
            self.users.append(user)
            self.model.has[user] = amount

    @rule(who=st.integers(0, 1), amount=SOME)
    def topup(self, who: int, amount: int) -> None:
        self.do(lambda now: ledger.topup(now, self.users[who], amount))
        self.model.has[self.users[who]] += amount

    @rule(who=st.integers(0, 1), amount=st.integers(-500, 500).filter(bool))
    def adjust(self, who: int, amount: int) -> None:
        user = self.users[who]
        refusal = self.model.moving(user, -amount)
        if self.do(lambda now: ledger.adjust(now, user, amount, actor="admin", reason="test"), expecting=refusal):
            self.model.has[user] += amount

    @rule(target=holds, who=st.integers(0, 1), amount=AMOUNTS, seconds=st.none() | st.integers(0, 90))
    def hold(self, who: int, amount: int, seconds: int | None) -> Any:
        user = self.users[who]
        expires_at = None if seconds is None else self.clock.now() + timedelta(seconds=seconds)
        held = self.do(
            lambda now: ledger.hold(now, user, amount, operation="predict", operation_id="p", expires_at=expires_at),
            expecting=self.model.moving(user, amount),
        )
        if held is None:
            return multiple()
        self.model.holds[held.id] = {"user": user, "left": amount, "parts": set(), "expires_at": expires_at}
        return held

    @rule(target=charges, held=holds, amount=AMOUNTS, part=st.sampled_from("ab"))
    def charge(self, held: ledger.Hold, amount: int, part: str) -> Any:
        refusal = self.model.charging(held.id, amount, part)
        charged = self.do(lambda now: ledger.charge(now, held.id, amount, part=part), expecting=refusal)
        if charged is None:
            return multiple()
        self.model.holds[held.id]["left"] -= amount
        self.model.holds[held.id]["parts"].add(part)
        return self._charged(held, charged, amount)

    @rule(target=charges, held=consumes(holds), amount=AMOUNTS)
    def settle(self, held: ledger.Hold, amount: int) -> Any:
        refusal = self.model.charging(held.id, amount, "")
        charged = self.do(lambda now: ledger.settle(now, held, amount), expecting=refusal)
        if charged is None:
            return multiple()
        del self.model.holds[held.id]
        return self._charged(held, charged, amount)

    @rule(held=holds)
    def close(self, held: ledger.Hold) -> None:
        refusal = None if held.id in self.model.holds else HoldResolved
        released = self.do(lambda now: ledger.close(now, held.id), expecting=refusal)
        if refusal is None:
            assert released == self.model.holds.pop(held.id)["left"]

    @rule(seconds=st.integers(1, 60))
    def time_passes_and_the_sweeper_comes(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        for hold_id in self.do(ledger.expired_holds):
            self.do(lambda now, hold_id=hold_id: ledger.expire(now, hold_id))
        for hold_id, hold in list(self.model.holds.items()):
            if hold["expires_at"] is not None and hold["expires_at"] <= self.clock.now():
                del self.model.holds[hold_id]

    @rule(charge=charges, amount=SOME)
    def refund(self, charge: str, amount: int) -> None:
        refusal = self.model.refunding(charge, amount)
        if self.do(lambda now: ledger.refund(now, charge, amount, actor="admin", reason="test"), expecting=refusal):
            user, left = self.model.refundable[charge]
            self.model.refundable[charge] = (user, left - amount)
            self.model.has[user] += amount

    @invariant()
    def people_have_what_the_model_says(self) -> None:
        for user in self.users:
            has = ledger.balance(self.now(), user)
            assert (has.balance, has.held) == (self.model.has[user], self.model.held(user))

    @invariant()
    def the_books_are_right(self) -> None:
        self.steps += 1
        if self.steps % self.verify_every == 0:
            assert verify(self.now()) == []

    def _charged(self, held: ledger.Hold, charge: str, amount: int) -> str:
        self.model.has[held.user_id] -= amount
        self.model.refundable[charge] = (held.user_id, amount)
        return charge


def tell(
    database: Database,
    *,
    examples: int,
    steps: int,
    verify_every: int = 1,
    prepare: Callable[[Transaction], None] | None = None,
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink),
    always_the_same: bool = False,
) -> None:
    story = type("Story", (LedgerStory,), {"database": database, "verify_every": verify_every})
    if prepare is not None:
        story.prepare = staticmethod(prepare)
    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            derandomize=always_the_same,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


class TestAnyStory:
    def test_ends_as_the_model_says(self, database: Database) -> None:
        if database.is_sqlite:
            tell(database, examples=200, steps=50)
        else:  # 13 round trips for each look at the books: 200 × 50 took 60 s of processor time, this takes 15 s
            tell(database, examples=60, steps=50, verify_every=5)

    @pytest.mark.slow
    def test_ends_as_the_model_says_at_greater_length(self, database: Database) -> None:
        """With RETINUE_TORTURE=1 at the release figures, which take an hour."""
        examples, steps = (5_000, 100) if "RETINUE_TORTURE" in os.environ else (300, 50)
        tell(database, examples=examples, steps=steps)


@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
class TestASeededFault:
    """A check that cannot fail proves nothing: each guard is taken away once, and the story must notice."""

    def test_is_noticed_when_a_part_can_be_charged_twice(self, database: Database) -> None:
        drop = sa.text("DROP INDEX uq_credit_entries_one_charge_per_part")
        self._is_noticed(database, prepare=lambda now: now.execute(drop) and None)

    def test_is_noticed_when_nothing_keeps_an_account_above_zero(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        guarded = ledger._MOVE.statement
        whose, _, ceiling = guarded.whereclause.clauses
        bottomless = sa.update(Account).where(whose, ceiling).values(guarded._values)
        after = bottomless.returning(Account.balance, Account.held, Account.entries)
        monkeypatch.setattr(ledger, "_MOVE", Prepared(after))
        self._is_noticed(database, prepare=_without_checks)

    def test_is_noticed_when_refunds_have_no_cap(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            ledger, "_REFUNDED", sa.select(0).where(sa.bindparam("charge", type_=Entry.id.type).is_not(None))
        )
        self._is_noticed(database)

    def _is_noticed(self, database: Database, prepare: Callable[[Transaction], None] | None = None) -> None:
        with pytest.raises(AssertionError):
            tell(
                database,
                examples=400,
                steps=50,
                verify_every=50,
                prepare=prepare,
                phases=(Phase.generate,),
                always_the_same=True,  # whether a fault is found must not be a matter of luck
            )


def _without_checks(now: Transaction) -> None:
    if now.connection.dialect.name == "sqlite":
        now.execute(sa.text("PRAGMA ignore_check_constraints = ON"))
    else:
        now.execute(sa.text("ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_available_not_negative"))
