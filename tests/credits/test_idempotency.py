"""A request that is sent again counts once: its answer is kept, its twin waits, its key means nothing to others."""

import httpx2
import pytest

from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.credits import idempotency
from retinue.credits.idempotency import (
    Answer,
    KeyReused,
    Once,
    Replay,
    StillRunning,
    Ticket,
    begin,
    fingerprint,
    finish,
    forget,
    is_worth_keeping,
    run_once,
)
from tests.accounts.people import Person

ASK = Once("POST /api/v1/predict", "key-1", fingerprint({"model": "m"}, "aa"))


def _begin(database: Database, *, user: str = "ada", once: Once = ASK) -> Ticket | Replay:
    return database.write_now(lambda now: begin(now, user, once))


def _ticket(database: Database, **more: str) -> Ticket:
    begun = _begin(database, **more)
    assert isinstance(begun, Ticket)
    return begun


class TestTheFirstRequest:
    def test_may_do_the_work(self, database: Database) -> None:
        assert isinstance(_begin(database), Ticket)

    def test_leaves_its_answer_to_the_second(self, database: Database) -> None:
        ticket = _ticket(database)
        database.write_now(lambda now: finish(now, ticket, 200, b'{"n": 1}'))
        again = _begin(database)
        assert again == Replay(200, b'{"n": 1}')
        assert again.response().headers["Idempotency-Replayed"] == "true"

    def test_keeps_its_twin_waiting(self, database: Database) -> None:
        _begin(database)
        with pytest.raises(StillRunning):
            _begin(database)

    def test_that_came_to_nothing_leaves_the_key_free(self, database: Database) -> None:
        ticket = _ticket(database)
        database.write_now(lambda now: forget(now, ticket))
        assert isinstance(_begin(database), Ticket)

    def test_that_was_finished_after_all_keeps_its_answer(self, database: Database) -> None:
        ticket = _ticket(database)
        database.write_now(lambda now: finish(now, ticket, 200, b'{"n": 1}'))
        database.write_now(lambda now: forget(now, ticket))
        assert _begin(database) == Replay(200, b'{"n": 1}')


class TestAnotherRequestWithTheSameKey:
    @pytest.mark.parametrize("is_finished", [False, True])
    def test_is_refused(self, database: Database, is_finished: bool) -> None:
        ticket = _ticket(database)
        if is_finished:
            database.write_now(lambda now: finish(now, ticket, 200, b"{}"))
        with pytest.raises(KeyReused):
            _begin(database, once=Once(ASK.route, ASK.key, fingerprint({"model": "other"}, "aa")))

    def test_of_another_user_or_route_is_another_request(self, database: Database) -> None:
        _begin(database)
        assert isinstance(_begin(database, user="bob"), Ticket)
        assert isinstance(_begin(database, once=Once("POST /api/v1/inferences", ASK.key, ASK.fingerprint)), Ticket)


class TestAServerThatDied:
    def test_blocks_the_key_until_its_lease_ends(self, database: Database, clock: SetClock) -> None:
        _begin(database)
        clock.advance(seconds=59)
        with pytest.raises(StillRunning):
            _begin(database)
        clock.advance(seconds=1)
        assert isinstance(_begin(database), Ticket)

    def test_and_comes_back_can_no_longer_finish(self, database: Database, clock: SetClock) -> None:
        late = _ticket(database)
        clock.advance(seconds=60)
        second = _ticket(database)
        with pytest.raises(StillRunning):
            database.write_now(lambda now: finish(now, late, 200, b"late"))
        database.write_now(lambda now: forget(now, late))
        database.write_now(lambda now: finish(now, second, 200, b"second"))
        assert _begin(database) == Replay(200, b"second")

    def test_finishes_late_where_nobody_took_over(self, database: Database, clock: SetClock) -> None:
        late = _ticket(database)
        clock.advance(seconds=600)
        database.write_now(lambda now: finish(now, late, 200, b"late"))
        assert _begin(database) == Replay(200, b"late")


class TestADayLater:
    def test_the_key_is_new_again(self, database: Database, clock: SetClock) -> None:
        ticket = _ticket(database)
        database.write_now(lambda now: finish(now, ticket, 200, b"{}"))
        clock.advance(hours=24)
        assert isinstance(_begin(database, once=Once(ASK.route, ASK.key, fingerprint({}))), Ticket)

    def test_the_answer_is_swept(self, database: Database, clock: SetClock) -> None:
        ticket = _ticket(database)
        database.write_now(lambda now: finish(now, ticket, 200, b"{}"))
        clock.advance(hours=23)
        assert database.write_now(idempotency.sweep) == 0
        clock.advance(hours=1)
        assert database.write_now(idempotency.sweep) == 1


class TestWorkOfOneTransaction:
    def test_is_done_once(self, database: Database) -> None:
        done: list[int] = []

        def work(now: Transaction) -> Answer:
            done.append(1)
            return Answer(201, b"made")

        first = database.write_now(lambda now: run_once(now, "ada", ASK, work))
        again = database.write_now(lambda now: run_once(now, "ada", ASK, work))
        assert (first, again, len(done)) == (Answer(201, b"made"), Replay(201, b"made"), 1)

    def test_that_is_refused_leaves_the_key_free(self, database: Database) -> None:
        def refuse(now: Transaction) -> Answer:
            raise LookupError

        with pytest.raises(LookupError):
            database.write_now(lambda now: run_once(now, "ada", ASK, refuse))
        assert isinstance(_begin(database), Ticket)


class TestFingerprints:
    def test_care_for_content_not_for_order(self) -> None:
        assert fingerprint({"a": 1, "b": [2]}, "f") == fingerprint({"b": [2], "a": 1}, "f")

    @pytest.mark.parametrize("other", [({"a": 2}, "f"), ({"a": 1}, "g"), ({"a": 1},), ({"a": 1}, "f", "f")])
    def test_differ_where_anything_differs(self, other: tuple[dict[str, int], str]) -> None:
        assert fingerprint({"a": 1}, "f") != fingerprint(*other)


@pytest.mark.parametrize("status", [200, 202, 400, 413, 415, 422])
def test_an_answer_is_kept_where_the_request_decides_it(status: int) -> None:
    assert is_worth_keeping(status)


@pytest.mark.parametrize("status", [401, 402, 409, 429, 500, 503, 507])
def test_an_answer_is_forgotten_where_the_moment_decides_it(status: int) -> None:
    assert not is_worth_keeping(status)


class TestTheHeader:
    PATH = "/api/v1/admin/users/root@example.com/credits"

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "é".encode()])
    async def test_of_another_shape_is_refused(self, admin: Person, key: str | bytes) -> None:
        answer = await admin.post(self.PATH, json={"amount": 1, "reason": "x"}, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-idempotency-key")

    async def test_sent_twice_is_refused(self, admin: Person, http: httpx2.AsyncClient) -> None:
        answer = await http.post(
            self.PATH,
            json={"amount": 1, "reason": "x"},
            headers=[
                ("Authorization", f"Bearer {admin.credential}"),
                ("Idempotency-Key", "a"),
                ("Idempotency-Key", "b"),
            ],
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-idempotency-key")

    async def test_of_the_longest_kind_works(self, admin: Person) -> None:
        headers = {"Idempotency-Key": "~" * 255}
        answer = await admin.post(self.PATH, json={"amount": 1, "reason": "x"}, headers=headers)
        assert answer.status_code == 200
