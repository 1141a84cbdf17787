"""Who goes next, how long lists are cut, and what becomes of pictures that kill: the rules, without a worker."""

import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from retinue.accounts import people
from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.base.storage import Storage, open_storage
from retinue.credits import ledger
from retinue.jobs import chunks, manifests
from retinue.jobs.chunks import Lease
from retinue.jobs.dispatching import dispatch
from retinue.jobs.leases import Leases
from retinue.jobs.manifests import Entry, Place, freeze, read_items
from retinue.jobs.planning import chunk_items, new_chunk, plan_on, put_in_chunks
from retinue.jobs.settling import abort, job_of
from retinue.jobs.sweeping import sweep
from retinue.jobs.tables import Chunk, ItemResult, Job
from retinue.jobs.terms import Terms
from tests.jobs.works import PRICE, a_job, a_worker, chunk_of, finish, put, states_of

TERMS = Terms()


async def entries(count: int) -> AsyncIterator[Entry]:
    for n in range(count):
        yield Entry(n, f"image-{n}", f"images/{n}.jpg", f"{n}.jpg")


HARMS: dict[str, Callable[[bytes, int], bytes]] = {
    "cut between lines": lambda data, at: data[: data.index(b"\n", at + 500) + 1],
    "cut inside a line": lambda data, _: data[:-5],
    "joined lines": lambda data, at: data[:at] + data[at:].replace(b"\n", b" ", 1),
    "more lines": lambda data, at: data[:at] + data[at:].replace(b"-", b"\n", 1),
}


async def overwrite(storage: Storage, key: str, harm: Callable[[bytes], bytes]) -> None:
    data = await storage.get(key)
    await storage.delete([key])
    await storage.put(key, harm(data))


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path / "files"))


class TestSharing:
    def work_off(self, bare: Database, rounds: int, *, seed: int = 7) -> Counter[str]:
        """Chunks done by user, where any chunk that is at work may be the next to end."""
        chance, at_work, done = random.Random(seed), [], Counter[str]()
        for _ in range(rounds):
            at_work += [one.lease for one in bare.write_now(lambda now: dispatch(now, terms=TERMS))]
            lease = at_work.pop(chance.randrange(len(at_work)))
            bare.write_now(lambda now, one=lease: chunks.claim(now, one, owner="me", terms=TERMS))
            bare.write_now(lambda now, one=lease: finish(now, one))
            done[bare.read_now(lambda now, one=lease: job_of(now, one.job_id, user_id=None)).user_id] += 1
        return done

    def test_three_users_get_equal_work_while_all_have_jobs(self, bare: Database, somebody: Callable[..., str]) -> None:
        users = [somebody(10_000_000) for _ in range(3)]
        bare.write_now(lambda now: a_worker(now, slots=4))
        bare.write_now(lambda now: a_job(now, users[0], chunks=60))  # came first, and with two jobs
        bare.write_now(lambda now: a_job(now, users[0], chunks=60))
        for user in users[1:]:
            bare.write_now(lambda now, user=user: a_job(now, user, chunks=60))
        done = self.work_off(bare, 120)
        assert all(abs(done[user] - 40) <= 6 for user in users), done

    def test_with_twice_the_weight_one_gets_twice_as_much(self, bare: Database, somebody: Callable[..., str]) -> None:
        heavy, light = somebody(10_000_000), somebody(10_000_000)
        bare.write_now(lambda now: people.change(now, heavy, {"weight": 2}))
        bare.write_now(lambda now: a_worker(now, slots=3))
        for user in (light, heavy):
            bare.write_now(lambda now, user=user: a_job(now, user, chunks=100))
        done = self.work_off(bare, 120)
        assert abs(done[heavy] - 80) <= 8, done

    def test_one_alone_has_everything(self, bare: Database, somebody: Callable[..., str]) -> None:
        user = somebody(10_000_000)
        bare.write_now(lambda now: a_worker(now, slots=4))
        bare.write_now(lambda now: a_job(now, user, chunks=30))
        assert len(bare.write_now(lambda now: dispatch(now, terms=TERMS))) == 8
        assert bare.write_now(lambda now: dispatch(now, terms=TERMS)) == []

    def test_of_ones_own_the_urgent_goes_first_then_the_older(
        self, bare: Database, somebody: Callable[..., str]
    ) -> None:
        user = somebody(10_000_000)
        bare.write_now(lambda now: a_worker(now, slots=2))
        old, _young, urgent = (
            bare.write_now(lambda now, p=priority: a_job(now, user, chunks=2, priority=p)) for priority in (0, 0, 5)
        )
        sent = [one.lease.job_id for one in bare.write_now(lambda now: dispatch(now, terms=TERMS))]
        assert sent == [urgent, urgent, old, old]

    def test_nothing_is_sent_where_nobody_works(
        self, bare: Database, somebody: Callable[..., str], clock: SetClock
    ) -> None:
        bare.write_now(lambda now: a_worker(now, pool="gpu"))
        bare.write_now(a_worker)
        clock.advance(seconds=31)  # silent for longer than a lease
        bare.write_now(lambda now: a_worker(now, pool="gpu"))
        user = somebody(10_000_000)
        bare.write_now(lambda now: a_job(now, user))
        assert bare.write_now(lambda now: dispatch(now, terms=TERMS)) == []


class TestPlanning:
    def test_a_chunk_takes_about_fifteen_seconds(self) -> None:
        assert [chunk_items(speed) for speed in (0.1, 10, 30.5, 200)] == [16, 150, 457, 1000]

    async def a_long_job(self, bare: Database, storage: Storage, user: str, *, items: int) -> str:
        frozen = await freeze(storage, entries(items), at=bare.clock.now())

        def begin(now: Transaction) -> str:
            job_id = a_job(
                now,
                user,
                chunks=0,
                state="planning",
                items=items,
                chunk_items=100,
                manifest=frozen.key,
                manifest_bytes=frozen.size,
                planned_items=0,
                planned_bytes=0,
            )
            put_in_chunks(now, job_of(now, job_id, user_id=None), frozen.lengths)
            return job_id

        return bare.write_now(begin)

    async def test_a_list_longer_than_a_page_is_planned_in_pages(
        self, bare: Database, storage: Storage, somebody: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(manifests, "PAGE_ITEMS", 250)
        job_id = await self.a_long_job(bare, storage, somebody(10_000_000), items=620)
        states, pages = [], 0
        while True:
            job = bare.read_now(lambda now: job_of(now, job_id, user_id=None))
            states.append((job.state, job.planned_items, job.chunks))
            if not await plan_on(bare, storage):
                break
            pages += 1
        assert states == [("planning", 250, 3), ("planning", 500, 6), ("ready", 620, 8)]
        planned = bare.read_now(lambda now: now.all(sa.select(Chunk).order_by(Chunk.number)))
        assert [(one.first_item, one.items) for one in planned] == [
            (0, 100), (100, 100), (200, 50), (250, 100), (350, 100), (450, 50), (500, 100), (600, 20),
        ]  # fmt: skip
        for one in planned:
            place = Place(job.manifest, one.first_item, one.first_byte, one.end_byte)
            found = [item.entry.index for item in await read_items(storage, place)]
            assert found == list(range(one.first_item, one.first_item + one.items))

    async def test_a_planner_that_comes_second_and_one_that_comes_too_late_put_nothing_in(
        self, bare: Database, storage: Storage, somebody: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(manifests, "PAGE_ITEMS", 250)
        job_id = await self.a_long_job(bare, storage, somebody(10_000_000), items=620)
        job = bare.read_now(lambda now: job_of(now, job_id, user_id=None))
        lengths = await manifests.read_lengths(
            storage, job.manifest, first_byte=job.planned_bytes, end_byte=job.manifest_bytes
        )
        assert bare.write_now(lambda now: put_in_chunks(now, job, lengths))
        assert not bare.write_now(lambda now: put_in_chunks(now, job, lengths))
        assert bare.write_now(lambda now: abort(now, job_id))
        assert await plan_on(bare, storage) == 0
        assert set(bare.read_now(lambda now: states_of(now, job_id))) == {"cancelled"}

    async def test_a_list_that_is_gone_fails_its_own_job_and_keeps_no_other_waiting(
        self, bare: Database, storage: Storage, somebody: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(manifests, "PAGE_ITEMS", 250)
        user = somebody(10_000_000)
        lost, whole = [await self.a_long_job(bare, storage, user, items=300) for _ in range(2)]
        await storage.delete([bare.read_now(lambda now: job_of(now, lost, user_id=None)).manifest])
        await plan_on(bare, storage)
        for job_id in (lost, whole):
            job = bare.read_now(lambda now, one=job_id: job_of(now, one, user_id=None))
            assert (job.state, job.planned_items, job.chunks) == ("ready", 300, 4)
        rest = bare.read_now(lambda now: chunk_of(now, Lease(lost, 3, 0)))
        assert (rest.first_item, rest.items) == (250, 50)

    @pytest.mark.parametrize("harm", ["cut between lines", "cut inside a line", "joined lines", "more lines"])
    async def test_a_list_that_is_not_what_was_frozen_is_planned_to_its_end_all_the_same(
        self,
        bare: Database,
        storage: Storage,
        somebody: Callable[..., str],
        monkeypatch: pytest.MonkeyPatch,
        harm: str,
    ) -> None:
        monkeypatch.setattr(manifests, "PAGE_ITEMS", 250)
        job_id = await self.a_long_job(bare, storage, somebody(10_000_000), items=300)
        job = bare.read_now(lambda now: job_of(now, job_id, user_id=None))
        await overwrite(storage, job.manifest, lambda data: HARMS[harm](data, job.planned_bytes))
        assert await plan_on(bare, storage) == 1
        assert await plan_on(bare, storage) == 0
        rest = bare.read_now(lambda now: chunk_of(now, Lease(job_id, 3, 0)))
        assert (rest.first_item, rest.items, rest.end_byte) == (250, 50, job.manifest_bytes)


class TestLeases:
    def test_are_renewed_again_after_a_failure_of_any_kind(
        self, bare: Database, somebody: Callable[..., str], clock: SetClock
    ) -> None:
        user = somebody(10_000_000)
        job_id = bare.write_now(lambda now: a_job(now, user, state="running"))
        held = [Lease(job_id, number, 1) for number in range(2)]
        for lease in held:
            bare.write_now(lambda now, one=lease: put(now, one, "leased"))
            clock.advance(seconds=1)
        failed = threading.Event()
        sa.event.listen(bare._writing, "handle_error", lambda _told: failed.set())
        bare.write_now(lambda now: now.execute(sa.text("CREATE UNIQUE INDEX one_end ON job_chunks (job_id, until)")))
        leases = Leases(bare, Terms(lease_s=0.3))
        leases.start()
        try:
            with leases.holding(held[0]), leases.holding(held[1]):
                assert failed.wait(10)  # both would end at the same moment
                bare.write_now(lambda now: now.execute(sa.text("DROP INDEX one_end")))
                clock.advance(seconds=60)
                until(lambda: bare.read_now(lambda now: chunk_of(now, held[0]).until) > clock.time)
        finally:
            leases.close()


class TestPicturesThatKill:
    async def test_where_the_list_is_gone_the_chunk_fails_whole(
        self, bare: Database, storage: Storage, somebody: Callable[..., str], clock: SetClock
    ) -> None:
        user = somebody(10_000_000)
        job_id = bare.write_now(lambda now: a_job(now, user, chunks=1))
        bare.write_now(lambda now: now.execute(sa.update(Chunk).values(crashes=2)))
        self.take(bare)
        clock.advance(seconds=31)
        await sweep(bare, storage, terms=TERMS)
        job = bare.read_now(lambda now: job_of(now, job_id, user_id=None))
        assert (job.status, job.error) == ("FAILED", "The worker died each time it looked at this item")
        assert bare.read_now(lambda now: ledger.balance(now, user)) == ledger.Balance(10_000_000, 0)

    async def test_a_chunk_that_kills_three_workers_is_parted_and_the_killer_fails_alone(
        self, bare: Database, storage: Storage, somebody: Callable[..., str], clock: SetClock
    ) -> None:
        user = somebody(10_000_000)
        frozen = await freeze(storage, entries(4), at=clock.now())

        def begin(now: Transaction) -> str:
            job_id = a_job(now, user, chunks=0, items=4, manifest=frozen.key)
            now.execute(sa.update(Job).where(Job.id == job_id).values(chunks=1))
            now.insert(Chunk, [new_chunk(now, job_id, 0, Place(frozen.key, 0, 0, frozen.size), 4)])
            return job_id

        job_id = bare.write_now(begin)
        for _ in range(3):
            (lease,) = self.take(bare)
            clock.advance(seconds=31)
            await sweep(bare, storage, terms=TERMS)
        assert bare.read_now(lambda now: states_of(now, job_id)) == ["split"] + ["ready"] * 4
        for number in (1, 2, 3, 4):
            (lease,) = self.take(bare)  # one at a time: a neighbour would be condemned with the one that kills
            assert lease.number == number
            if number == 3:
                clock.advance(seconds=31)
                await sweep(bare, storage, terms=TERMS)
            else:
                assert bare.write_now(lambda now, one=lease: finish(now, one, done=1))
        await sweep(bare, storage, terms=TERMS)
        job = bare.read_now(lambda now: job_of(now, job_id, user_id=None))
        assert (job.status, job.done, job.failed) == ("COMPLETED", 3, 1)
        (told,) = bare.read_now(lambda now: now.all(sa.select(ItemResult)))
        assert (told.position, told.name, told.code) == (2, "2.jpg", "worker-died")
        assert bare.read_now(lambda now: ledger.balance(now, user)) == ledger.Balance(10_000_000 - 3 * PRICE, 0)

    async def test_a_worker_that_wakes_before_the_chunk_is_parted_may_still_finish_it(
        self, bare: Database, storage: Storage, somebody: Callable[..., str], clock: SetClock
    ) -> None:
        user = somebody(10_000_000)
        job_id = bare.write_now(lambda now: a_job(now, user, chunks=1))
        bare.write_now(lambda now: now.execute(sa.update(Chunk).values(crashes=2)))
        (lease,) = self.take(bare)
        clock.advance(seconds=31)
        assert bare.write_now(lambda now: finish(now, lease))
        await sweep(bare, storage, terms=TERMS)
        assert bare.read_now(lambda now: (chunk_of(now, lease).state, job_of(now, job_id, user_id=None).status)) == (
            "done",
            "COMPLETED",
        )

    def take(self, bare: Database) -> list[Lease]:
        bare.write_now(a_worker)
        leases = [one.lease for one in bare.write_now(lambda now: dispatch(now, terms=TERMS))]
        for lease in leases:
            bare.write_now(lambda now, one=lease: chunks.claim(now, one, owner="me", terms=TERMS))
        return leases
