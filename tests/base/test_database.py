"""Two verbs, one writer: what commits together, what is refused alone, what survives."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from retinue.base.clock import SetClock
from retinue.base.database import Database, DatabaseUnavailable, Transaction

notes = sa.Table(
    "test_notes",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("words", sa.Text, sa.CheckConstraint("words <> 'bad'"), nullable=False),
)


class Refused(Exception):
    pass


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.alone() as connection:
        notes.create(connection)
    yield database
    database.close()


def write(words: str) -> "sa.Executable":
    return sa.insert(notes).values(words=words)


def words_in(now: Transaction) -> list[str]:
    return [row.words for row in now.rows(sa.select(notes.c.words).order_by(notes.c.id))]


class TestWriting:
    async def test_what_was_answered_is_there(self, database: Database) -> None:
        await database.write(lambda now: now.execute(write("kept")))
        assert await database.read(words_in) == ["kept"]

    async def test_the_functions_answer_comes_back(self, database: Database) -> None:
        assert await database.write(lambda _: 7) == 7

    async def test_one_refusal_among_many_undoes_itself_alone(self, database: Database) -> None:
        def refused(now: Transaction) -> None:
            now.execute(write("half done"))
            raise Refused

        answers = await asyncio.gather(
            *(database.write(lambda now, n=n: now.execute(write(f"note {n}"))) for n in range(20)),  # type: ignore[misc]
            database.write(refused),
            database.write(lambda now: now.execute(write("bad"))),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers[20:]] == [Refused, sa.exc.IntegrityError]
        assert sorted(await database.read(words_in)) == sorted(f"note {n}" for n in range(20))

    async def test_many_at_once_share_commits(self, database: Database) -> None:
        commits = 0

        @sa.event.listens_for(database._writing, "commit")
        def _count(_connection: sa.Connection) -> None:
            nonlocal commits
            commits += 1

        await asyncio.gather(*(database.write(lambda now: now.execute(write("x"))) for _ in range(200)))
        assert len(await database.read(words_in)) == 200
        assert commits < 100

    async def test_a_caller_who_went_away_does_not_stop_the_others(self, database: Database) -> None:
        held, let_go = threading.Event(), threading.Event()

        def slow(_now: Transaction) -> None:
            held.set()
            let_go.wait(60)

        first = asyncio.create_task(database.write(slow))
        await asyncio.to_thread(held.wait, 60)
        gone = asyncio.create_task(database.write(lambda now: now.execute(write("gone"))))
        stays = asyncio.create_task(database.write(lambda now: now.execute(write("stays"))))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait((gone,))  # before the writer comes to it: what has begun would end first
        let_go.set()
        await asyncio.gather(first, stays)
        assert gone.cancelled()
        assert await database.read(words_in) == ["stays"]

    async def test_what_has_begun_ends_before_its_caller_goes(self, database: Database) -> None:
        held, let_go = threading.Event(), threading.Event()
        answers, after = [], []

        def slow(now: Transaction) -> str:
            held.set()
            let_go.wait(60)
            now.execute(write("kept"))
            return "answer"

        async def caller() -> None:
            answers.append(await database.write(slow))
            await asyncio.sleep(0)
            after.append("came here")

        async def in_time() -> None:
            async with asyncio.timeout(60) as limit:
                inside.append(limit)
                await caller()

        inside: list[asyncio.Timeout] = []
        called = asyncio.create_task(in_time())
        await asyncio.to_thread(held.wait, 60)
        inside[0].reschedule(asyncio.get_running_loop().time() - 1)
        await asyncio.sleep(0)
        assert called.cancelling()
        let_go.set()
        with pytest.raises(TimeoutError):
            await called
        assert (answers, after) == (["answer"], [])
        assert await database.read(words_in) == ["kept"]

    async def test_what_was_refused_while_its_caller_went_has_not_happened(self, database: Database) -> None:
        held, let_go = threading.Event(), threading.Event()

        def refused(_now: Transaction) -> None:
            held.set()
            let_go.wait(60)
            raise Refused

        caller = asyncio.create_task(database.write(refused))
        await asyncio.to_thread(held.wait, 60)
        caller.cancel()
        let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await caller

    def test_threads_without_a_loop_write_too(self, database: Database) -> None:
        database.write_now(lambda now: now.execute(write("from a thread")))
        assert database.read_now(words_in) == ["from a thread"]


class TestReading:
    async def test_readers_cannot_write(self, database: Database) -> None:
        with pytest.raises(sa.exc.DBAPIError):
            database._reading.connect().execute(write("sneaked in"))

    async def test_a_read_sees_one_moment(self, database: Database) -> None:
        await database.write(lambda now: now.execute(write("before")))
        seen, written = threading.Event(), threading.Event()

        def twice(now: Transaction) -> tuple[int, int]:
            first = len(words_in(now))
            seen.set()
            written.wait(60)
            return first, len(words_in(now))

        reading = asyncio.create_task(database.read(twice))
        await asyncio.to_thread(seen.wait, 60)
        await database.write(lambda now: now.execute(write("after")))
        written.set()
        assert await reading == (1, 1)


async def test_time_comes_from_the_given_clock(database_url: str) -> None:
    clock = SetClock()
    database = Database(database_url, clock=clock)
    assert await database.write(lambda now: now.time) == clock.time
    assert await database.read(lambda now: now.time) == clock.time
    database.close()


async def test_a_database_that_is_not_there_is_said_so() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailable):
        await database.read(lambda now: now.execute(sa.text("SELECT 1")))
    with pytest.raises(DatabaseUnavailable):
        await database.write(lambda now: now.execute(sa.text("SELECT 1")))
    database.close()
