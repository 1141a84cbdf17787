"""Every operation against every state of a chunk and of its job: a table of what moves where, and of what does not."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.credits import ledger
from retinue.credits.verifying import verify
from retinue.jobs import chunks
from retinue.jobs.chunks import Lease
from retinue.jobs.dispatching import dispatch, unsend
from retinue.jobs.settling import abort, job_of, settle
from retinue.jobs.sweeping import put_back
from retinue.jobs.tables import Job
from retinue.jobs.terms import Terms
from retinue.jobs.verifying import verify_jobs
from tests.jobs.works import a_job, a_worker, chunk_of, finish, put, states_of

TERMS = Terms()
CHUNK_STATES = ("ready", "sent", "leased", "done", "failed", "cancelled", "split")
Operation = Callable[[Transaction, Lease], object]

OPERATIONS: dict[str, Operation] = {
    "dispatch": lambda now, lease: dispatch(now, terms=TERMS),
    "unsend": unsend,
    "claim": lambda now, lease: chunks.claim(now, lease, owner="me", terms=TERMS),
    "renew": lambda now, lease: chunks.renew(now, lease, terms=TERMS),
    "commit": finish,
    "fail": lambda now, lease: chunks.fail(now, lease, may_retry=True, terms=TERMS),
    "fail for good": lambda now, lease: chunks.fail(now, lease, may_retry=False, terms=TERMS),
    "give back": chunks.give_back,
    "cancel": chunks.cancel,
    "abort": lambda now, lease: abort(now, lease.job_id),
    "sweep": lambda now, lease: put_back(now, terms=TERMS),
}
# What a chunk of a running job becomes. What is not told stays as it is.
RUNNING = {
    ("dispatch", "ready"): "sent",
    ("unsend", "sent"): "ready",
    ("claim", "sent"): "leased",
    ("commit", "leased"): "done",
    ("fail", "leased"): "ready",
    ("fail for good", "leased"): "failed",
    ("give back", "leased"): "ready",
    ("abort", "ready"): "cancelled",
    ("abort", "sent"): "cancelled",
}
# In a job that is being aborted nothing new begins; what is at work may end.
ABORTING = {
    ("unsend", "sent"): "ready",
    ("commit", "leased"): "done",
    ("fail", "leased"): "ready",
    ("fail for good", "leased"): "failed",
    ("give back", "leased"): "ready",
    ("cancel", "leased"): "cancelled",
    ("sweep", "ready"): "cancelled",
    ("sweep", "sent"): "cancelled",
}
# When the time of a lease or a message is over.
OVERDUE = {("sweep", "sent"): "ready", ("sweep", "leased"): "ready"}
OVERDUE_ABORTING = {("sweep", "ready"): "cancelled", ("sweep", "sent"): "cancelled", ("sweep", "leased"): "cancelled"}


@pytest.fixture
def user(bare: Database, somebody: Callable[..., str]) -> str:
    bare.write_now(a_worker)
    return somebody(1_000_000)


def after(bare: Database, user: str, *, job: str, chunk: str, do: Operation, epoch: int = 3) -> str:
    """The state of a chunk after the operation; another chunk is at work, so that the job does not end."""
    job_id = bare.write_now(lambda now: a_job(now, user, chunks=2, state=job))
    lease = Lease(job_id, 0, 3)

    def arrange(now: Transaction) -> None:
        put(now, lease, chunk)
        put(now, Lease(job_id, 1, 1), "leased")

    bare.write_now(arrange)
    bare.write_now(lambda now: do(now, Lease(job_id, 0, epoch)))
    return bare.read_now(lambda now: chunk_of(now, lease).state)


class TestEveryOperationInEveryState:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_in_a_running_job(self, bare: Database, user: str, name: str) -> None:
        found = {state: after(bare, user, job="running", chunk=state, do=OPERATIONS[name]) for state in CHUNK_STATES}
        assert found == {state: RUNNING.get((name, state), state) for state in CHUNK_STATES}

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_in_a_job_that_is_being_aborted(self, bare: Database, user: str, name: str) -> None:
        found = {state: after(bare, user, job="aborting", chunk=state, do=OPERATIONS[name]) for state in CHUNK_STATES}
        assert found == {state: ABORTING.get((name, state), state) for state in CHUNK_STATES}

    @pytest.mark.parametrize(
        "name", ["unsend", "claim", "renew", "commit", "fail", "fail for good", "give back", "cancel"]
    )
    @pytest.mark.parametrize("job", ["running", "aborting"])
    def test_nothing_moves_under_an_earlier_epoch(self, bare: Database, user: str, name: str, job: str) -> None:
        for state in CHUNK_STATES:
            assert after(bare, user, job=job, chunk=state, do=OPERATIONS[name], epoch=2) == state

    @pytest.mark.parametrize("job", ["planning", "ready", "done", "aborted"])
    def test_a_chunk_is_taken_only_in_a_running_job(self, bare: Database, user: str, job: str) -> None:
        assert after(bare, user, job=job, chunk="sent", do=OPERATIONS["claim"]) == "sent"

    @pytest.mark.parametrize(("job", "expected"), [("running", OVERDUE), ("aborting", OVERDUE_ABORTING)])
    def test_when_its_time_is_over(
        self, bare: Database, user: str, clock: SetClock, job: str, expected: dict[tuple[str, str], str]
    ) -> None:
        def wait_and_sweep(now: Transaction, _lease: Lease) -> None:
            late = Transaction(now.connection, now.time + timedelta(seconds=31))
            put_back(late, terms=TERMS)

        for state in CHUNK_STATES:
            assert after(bare, user, job=job, chunk=state, do=wait_and_sweep) == expected.get(("sweep", state), state)


class TestAJobEnds:
    @pytest.mark.parametrize("state", ["planning", "ready", "running", "aborting", "done", "aborted"])
    def test_only_when_it_runs_or_is_aborted_and_nothing_is_open(self, bare: Database, user: str, state: str) -> None:
        job_id = bare.write_now(lambda now: a_job(now, user, chunks=1, state=state))
        assert bare.write_now(lambda now: settle(now, job_id)) is False
        for number, chunk in enumerate(("done", "failed", "cancelled", "split")):
            bare.write_now(lambda now, number=number, chunk=chunk: put(now, Lease(job_id, 0, number), chunk))
        assert bare.write_now(lambda now: settle(now, job_id)) is (state in {"running", "aborting"})
        assert bare.write_now(lambda now: settle(now, job_id)) is False

    @pytest.mark.parametrize("state", ["planning", "ready", "running", "aborting", "done", "aborted"])
    def test_abort_cancels_what_waits_and_ends_it_if_nothing_is_at_work(
        self, bare: Database, user: str, state: str
    ) -> None:
        job_id = bare.write_now(lambda now: a_job(now, user, chunks=2, state=state))
        was_open = state in {"planning", "ready", "running"}
        assert bare.write_now(lambda now: abort(now, job_id)) is was_open
        if was_open:
            assert bare.read_now(lambda now: states_of(now, job_id)) == ["cancelled", "cancelled"]
            assert bare.read_now(lambda now: job_of(now, job_id, user_id=None).state) == "aborted"
            assert bare.read_now(lambda now: ledger.balance(now, user).held) == 0


class TestTheStoryOfAJob:
    def job(self, bare: Database, job_id: str) -> Job:
        return bare.read_now(lambda now: job_of(now, job_id, user_id=None))

    def is_sound(self, bare: Database) -> bool:
        return bare.read_now(lambda now: verify(now, more=(verify_jobs,))) == []

    def test_what_was_done_is_charged_and_the_rest_comes_back(self, bare: Database, user: str) -> None:
        job_id = bare.write_now(lambda now: a_job(now, user, chunks=3))
        leases = [one.lease for one in bare.write_now(lambda now: dispatch(now, terms=TERMS))]
        for lease in leases:
            assert bare.write_now(lambda now, one=lease: chunks.claim(now, one, owner="me", terms=TERMS))
        assert bare.write_now(lambda now: finish(now, leases[0], done=10))
        assert bare.write_now(lambda now: finish(now, leases[1], done=9, failed=1))
        assert bare.write_now(lambda now: chunks.fail(now, leases[2], may_retry=False, terms=TERMS))
        assert bare.write_now(lambda now: settle(now, job_id))
        job = self.job(bare, job_id)
        assert (job.status, job.done, job.failed) == ("COMPLETED", 19, 11)
        assert bare.read_now(lambda now: ledger.balance(now, user)) == ledger.Balance(1_000_000 - 19 * 275, 0)

    def test_a_second_commit_finds_nothing(self, bare: Database, user: str) -> None:
        bare.write_now(lambda now: a_job(now, user, chunks=1))
        (sending,) = bare.write_now(lambda now: dispatch(now, terms=TERMS))
        bare.write_now(lambda now: chunks.claim(now, sending.lease, owner="me", terms=TERMS))
        assert bare.write_now(lambda now: finish(now, sending.lease))
        assert not bare.write_now(lambda now: finish(now, sending.lease))
        assert bare.read_now(lambda now: ledger.balance(now, user).balance) == 1_000_000 - 2750

    def test_a_worker_that_wakes_up_late_counts_for_nothing(self, bare: Database, user: str, clock: SetClock) -> None:
        bare.write_now(lambda now: a_job(now, user, chunks=1))
        (first,) = bare.write_now(lambda now: dispatch(now, terms=TERMS))
        bare.write_now(lambda now: chunks.claim(now, first.lease, owner="sleepy", terms=TERMS))
        clock.advance(seconds=31)
        bare.write_now(lambda now: put_back(now, terms=TERMS))
        bare.write_now(a_worker)
        (second,) = bare.write_now(lambda now: dispatch(now, terms=TERMS))
        assert not bare.write_now(lambda now: chunks.renew(now, first.lease, terms=TERMS))
        assert not bare.write_now(lambda now: finish(now, first.lease))
        bare.write_now(lambda now: chunks.claim(now, second.lease, owner="awake", terms=TERMS))
        assert bare.write_now(lambda now: finish(now, second.lease))
        assert bare.read_now(lambda now: ledger.balance(now, user).balance) == 1_000_000 - 2750

    def test_three_tries_and_it_fails(self, bare: Database, user: str, clock: SetClock) -> None:
        job_id = bare.write_now(lambda now: a_job(now, user, chunks=1))
        for _ in range(3):
            (sending,) = bare.write_now(lambda now: dispatch(now, terms=TERMS))
            bare.write_now(lambda now, one=sending.lease: chunks.claim(now, one, owner="me", terms=TERMS))
            bare.write_now(lambda now, one=sending.lease: chunks.fail(now, one, may_retry=True, terms=TERMS))
            assert bare.write_now(lambda now: dispatch(now, terms=TERMS)) == []  # it waits for its pause
            clock.advance(seconds=26)
            bare.write_now(a_worker)
        assert bare.read_now(lambda now: states_of(now, job_id)) == ["failed"]
        bare.write_now(lambda now: settle(now, job_id))
        assert self.job(bare, job_id).status == "FAILED"
        assert self.is_sound(bare)

    def test_a_worker_that_is_asked_to_stop_costs_no_try(self, bare: Database, user: str) -> None:
        bare.write_now(lambda now: a_job(now, user, chunks=1))
        for _ in range(5):
            (sending,) = bare.write_now(lambda now: dispatch(now, terms=TERMS))
            bare.write_now(lambda now, one=sending.lease: chunks.claim(now, one, owner="me", terms=TERMS))
            assert bare.write_now(lambda now, one=sending.lease: chunks.give_back(now, one))
        found = bare.read_now(lambda now: chunk_of(now, sending.lease))
        assert (found.tries, found.crashes, found.epoch) == (0, 0, 5)
