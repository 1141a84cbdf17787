"""Sessions and keys through any order of events, against a model of what should be alive."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from retinue import assembly
from retinue.accounts import keys, people, sessions
from retinue.accounts.access import Identity
from retinue.accounts.credentials import Hasher
from retinue.accounts.people import Newcomer
from retinue.accounts.sessions import Begun
from retinue.base.clock import SetClock
from retinue.base.errors import NotSignedIn
from retinue.base.ids import new_id
from retinue.base.settings import Settings


@dataclass
class KnownSession:
    id: str
    expires_at: datetime
    is_ended: bool = False


@dataclass
class KnownToken:
    text: str
    session: KnownSession
    born_at: datetime
    spent_at: datetime | None = None
    successor: "KnownToken | None" = None


@dataclass
class KnownAccess:
    text: str
    session: KnownSession
    dies_at: datetime


@dataclass
class KnownKey:
    id: str
    text: str
    dies_at: datetime
    is_revoked: bool = False


class Lives(RuleBasedStateMachine):
    """What a person may do to an account, and time passing."""

    house: assembly.House
    tokens = Bundle("tokens")
    made_keys = Bundle("made_keys")

    def __init__(self) -> None:
        super().__init__()
        self.accounts = self.house.accounts
        self.database = self.house.database
        clock = self.house.clock
        assert isinstance(clock, SetClock)
        self.clock = clock
        newcomer = Newcomer(f"{new_id()}@example.com", "not a hash")
        self.user = self.database.write_now(lambda now: people.sign_up(now, newcomer))
        self.is_active = True
        self.accesses: list[KnownAccess] = []
        self.keys: list[KnownKey] = []

    @rule(target=tokens)
    def log_in(self) -> KnownToken:
        begun = self.database.write_now(lambda now: sessions.begin(now, self.user, address="", agent=""))
        session = KnownSession(begun.session_id, self.clock.now() + timedelta(days=30), is_ended=not self.is_active)
        if not self.is_active:  # log-in itself refuses the disabled; a session that slipped through opens nothing
            self.database.write_now(lambda now: sessions.end(now, begun.session_id, because="test"))
        return self._note(begun, session)

    @rule(target=tokens, token=tokens)
    def refresh(self, token: KnownToken) -> KnownToken:
        result = self.database.write_now(lambda now: sessions.renew(now, token.text, key=self.accounts.refresh_key))
        self.accounts.recognition.forget(self.user.id)
        now, session = self.clock.now(), token.session
        if session.is_ended or now >= session.expires_at or not self.is_active:
            assert not isinstance(result, Begun)
            return token
        if token.spent_at is None:
            if now >= token.born_at + timedelta(days=7):
                assert not isinstance(result, Begun)
                token.spent_at = now
                return token
            assert isinstance(result, Begun)
            token.spent_at = now
            token.successor = self._note(result, session)
            return token.successor
        follows = token.successor
        if follows is not None and follows.spent_at is None and now - token.spent_at <= timedelta(seconds=10):
            assert isinstance(result, Begun)
            assert result.refresh_token == follows.text
            return follows
        assert not isinstance(result, Begun)
        session.is_ended = True
        return token

    @rule()
    def log_out(self) -> None:
        self.database.write_now(lambda now: sessions.end_all(now, self.user.id, because="logout"))
        self._all_ended()

    @rule(active=st.booleans())
    def disable_or_enable(self, active: bool) -> None:
        self.database.write_now(lambda now: people.set_active(now, self.user.id, active, actor="test"))
        if not active and self.is_active:
            self._all_ended()
        self.is_active = active
        self.accounts.recognition.forget(self.user.id)

    @rule(role=st.sampled_from(["user", "operator"]))
    def change_role(self, role: str) -> None:
        if role != self.user.role:
            self._all_ended()
        self.database.write_now(lambda now: people.set_role(now, self.user.id, role, actor="test"))  # type: ignore[arg-type]
        self.user.role = role  # type: ignore[assignment]
        self.accounts.recognition.forget(self.user.id)

    @rule(target=made_keys, days=st.sampled_from([1, 90]))
    def make_key(self, days: int) -> KnownKey:
        self._revoke_oldest()
        caller = Identity(self.user.id, self.user.email, self.user.role)
        dies_at = self.clock.now() + timedelta(days=days)
        row, text = self.database.write_now(lambda now: keys.make(now, caller, name="key", expires_at=dies_at))
        self.keys.append(KnownKey(row.id, text, dies_at))
        return self.keys[-1]

    @rule(key=made_keys)
    def revoke_key(self, key: KnownKey) -> None:
        if not key.is_revoked:
            caller = Identity(self.user.id, self.user.email, self.user.role)
            self.database.write_now(lambda now: keys.revoke(now, caller, key.id))
            self.accounts.recognition.forget(self.user.id)
            key.is_revoked = True

    @rule(seconds=st.sampled_from([1, 5, 11, 60, 700, 86_400, 6 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @invariant()
    def exactly_what_is_alive_signs_in(self) -> None:
        now = self.clock.now()
        for access in self.accesses[-6:]:
            is_alive = not access.session.is_ended and now < access.session.expires_at and self.is_active
            is_young = now < access.dies_at + timedelta(seconds=30)
            assert self._signs_in(access.text) == (is_alive and is_young)
        for key in self.keys[-6:]:
            assert self._signs_in(key.text) == (self.is_active and not key.is_revoked and now < key.dies_at)

    def _note(self, begun: Begun, session: KnownSession) -> KnownToken:
        text = self.accounts.tokens.issue(self.user.id, session.id)
        self.accesses.append(KnownAccess(text, session, self.clock.now() + timedelta(minutes=10)))
        return KnownToken(begun.refresh_token, session, self.clock.now())

    def _all_ended(self) -> None:
        for access in self.accesses:
            access.session.is_ended = True
        self.accounts.recognition.forget(self.user.id)

    def _revoke_oldest(self) -> None:
        live = [key for key in self.keys if not key.is_revoked and self.clock.now() < key.dies_at]
        if len(live) >= keys.MOST:
            self.revoke_key(live[0])

    def _signs_in(self, credential: str) -> bool:
        async def ask() -> bool:
            try:
                identity = await self.accounts.recognition.recognise(f"Bearer {credential}".encode(), "127.0.0.1")
            except NotSignedIn:
                return False
            assert (identity.user_id, identity.role) == (self.user.id, self.user.role)
            return True

        return LOOP.run_until_complete(ask())


LOOP = asyncio.new_event_loop()


@pytest.fixture
def lived_in(database_url: str, tmp_path: Path, hasher: Hasher) -> Iterator[assembly.House]:
    given = Settings(data_dir=tmp_path, database_url=database_url)
    house = assembly.open_house(given, clock=SetClock(), hasher=hasher)
    yield house
    house.close()


def test_only_what_should_be_alive_is(lived_in: assembly.House) -> None:
    machine = type("LivesHere", (Lives,), {"house": lived_in})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
