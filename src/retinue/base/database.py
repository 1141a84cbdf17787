"""The two verbs of the database: `await db.read(fn)` and `await db.write(fn)`, for plain functions of a transaction.

One thread per process writes. It takes every write that is waiting, runs them in one shared transaction and commits
once: 32 clients writing a row each get over 7,000 rows/s from SQLite where separate transactions gave 400. Where one
caller is refused, the shared transaction is run again with a savepoint for each, so that the refusal undoes that
caller's work only. The price: a function given to `write` may run more than once (also after a deadlock or a lost
connection), so it must do nothing but database work.

A caller that is cancelled knows what became of its write: `CancelledError` out of `write` says that it did not happen.
"""

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from retinue.base.clock import Clock, SystemClock
from retinue.base.errors import StorageFull, Unavailable
from retinue.base.prepared import Prepared, inserting

T = TypeVar("T")

CLOCK = Prepared(sa.select(sa.func.clock_timestamp().label("now")))
MOST_IN_ONE_COMMIT = 256
TRIES = 5


class DatabaseUnavailable(Unavailable):
    code = "database-unavailable"
    title = "The database does not answer"


class Transaction:
    """What rules and queries are functions of. Reads give rows as objects; writes are explicit statements."""

    __slots__ = ("connection", "time")

    def __init__(self, connection: sa.Connection, time: datetime) -> None:
        self.connection = connection
        self.time = time

    def execute(self, statement: sa.Executable, values: Any = None) -> sa.CursorResult[Any]:
        return self.connection.execute(statement, values)

    def changed(self, statement: sa.Executable | Prepared, values: Any = None) -> int:
        """How many rows a guarded UPDATE or DELETE hit."""
        if isinstance(statement, Prepared):
            return statement.run(self.connection, values)[1]
        return self.connection.execute(statement, values).rowcount

    def row(self, statement: Prepared, values: Mapping[str, Any]) -> Any | None:
        """The first row that a statement of the hot path returns."""
        rows, _ = statement.run(self.connection, values)
        return rows[0] if rows else None

    def all(self, statement: sa.Select[T]) -> list[T]:
        """Whole rows as objects of their class, detached: change them with statements, not by assignment."""
        with self._loader() as session:
            return list(session.scalars(statement))

    def first(self, statement: sa.Select[T]) -> T | None:
        with self._loader() as session:
            found: T | None = session.scalars(statement).first()
            return found

    def value(self, statement: sa.Select[T], values: Any = None) -> T | None:
        """The first column of the first row."""
        found: T | None = self.connection.execute(statement, values).scalar()
        return found

    def rows(self, statement: sa.Executable, values: Any = None) -> Sequence[sa.Row[Any]]:
        return self.connection.execute(statement, values).all()

    def insert(self, row: type[Any], values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        table: Any = row  # a class is hashable, whatever its metaclass says to the type checker
        if isinstance(values, Mapping):
            inserting(table, tuple(values)).run(self.connection, values)
        elif values:
            inserting(table, tuple(values[0])).run_many(self.connection, values)

    def _loader(self) -> Session:
        return Session(self.connection, autoflush=False, join_transaction_mode="rollback_only")


class Database:
    def __init__(self, url: str, *, clock: Clock | None = None, readers: int = 8) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.clock = clock or SystemClock()
        self._asks_database_for_time = not self.is_sqlite and isinstance(self.clock, SystemClock)
        self._writing = _engine(self.url, begin="BEGIN IMMEDIATE", size=2)
        self._reading = _engine(self.url, begin="BEGIN", size=readers, read_only=True)
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="database-reader")
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._beginning = threading.Lock()
        self._turn = threading.Lock()
        self._kept: sa.Connection | None = None
        self._writer = threading.Thread(target=self._write_forever, name="database-writer", daemon=True)
        self._writer.start()
        self._closed = False

    @property
    def writer_thread(self) -> int:
        """By its number in the operating system."""
        assert self._writer.native_id is not None, "it was started"
        return self._writer.native_id

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.read_now, fn)

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """Cancelled, it has not happened. What has begun ends first: if it is committed, its answer comes as ever and
        the cancellation with the caller's next await."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        write = _Write(fn, future, loop)
        self._waiting.put(write)
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as cancelled:
            if self._withdraw(write):
                raise
            await _until_done(future)
            failure = future.exception()
            if failure is not None and not isinstance(failure, CommitInDoubt):
                raise
            _cancel_later(cancelled)
        return future.result()

    def read_now(self, fn: Callable[[Transaction], T]) -> T:
        """For threads that may wait: one snapshot for all of `fn`'s statements."""
        try:
            with self._reading.connect() as connection, connection.begin():
                return fn(Transaction(connection, self.clock.now()))
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as lost:
            raise DatabaseUnavailable() from lost

    def write_now(self, fn: Callable[[Transaction], T]) -> T:
        """The same shared commits, for threads that may wait."""
        future: Future[T] = Future()
        self._waiting.put(_Write(fn, future, None))
        return future.result()

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """A connection and a transaction apart from the writer, which waits meanwhile: migrations, bulk loads."""
        with self._turn, self._writing.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        self._writer.join()
        self._let_go()
        self._pool.shutdown()
        self._writing.dispose()
        self._reading.dispose()

    def _write_forever(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            while len(batch) < MOST_IN_ONE_COMMIT and not self._waiting.empty():
                if (more := self._waiting.get_nowait()) is None:
                    self._waiting.put(None)
                    break
                batch.append(more)
            if batch := self._begin(batch):
                self._commit_together(batch)
                _deliver(batch)

    def _begin(self, batch: list["_Write"]) -> list["_Write"]:
        """What was not withdrawn while it waited; from here on it will be seen through."""
        with self._beginning:
            begun = [write for write in batch if not write.is_withdrawn]
            for write in begun:
                write.has_begun = True
        return begun

    def _withdraw(self, write: "_Write") -> bool:
        with self._beginning:
            write.is_withdrawn = not write.has_begun
        return write.is_withdrawn

    def _commit_together(self, batch: list["_Write"]) -> None:
        # Savepoints only after a refusal: on PostgreSQL they are two of three round trips (1,500 against 5,000 rows/s).
        if self._commit(batch, apart=False) is None or (undone := self._commit(batch, apart=True)) is None:
            return
        for write in batch:  # one of them undid all: a deadlock with another process, a lost connection, a full disk
            self._commit_alone(write, because=undone)

    def _commit_alone(self, write: "_Write", *, because: Exception) -> None:
        """What undid the others may be this one's own; only by itself it is found out."""
        for attempt in range(TRIES):
            if attempt and not _may_run_again(because):
                break
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 jitter, not a secret
            if (undone := self._commit([write], apart=True)) is None:
                return
            because = undone
        write.failure = _translated(because)

    def _commit(self, batch: list["_Write"], *, apart: bool) -> Exception | None:
        """What rolled all of it back; None when every write has its result or its failure."""
        committing = False
        with self._turn:
            try:
                connection = self._standing()
                with connection.begin():
                    now = Transaction(connection, self._time(connection))
                    for write in batch:
                        if apart:
                            write.run_apart(now)
                        else:
                            write.run(now)
                    committing = True
            except Exception as undone:  # noqa: BLE001 the writer thread outlives any failure; its callers are told
                self._let_go()
                if committing and isinstance(undone, sa.exc.DBAPIError) and undone.connection_invalidated:
                    for write in batch:
                        write.failure = CommitInDoubt()
                    return None
                return undone
        return None

    def _standing(self) -> sa.Connection:
        """Kept from commit to commit: to ask the pool each time cost a tenth of a live prediction's database work."""
        self._kept = self._kept or self._writing.connect()
        return self._kept

    def _let_go(self) -> None:
        """After a failure: the next one asks the pool, which tries whether the database is there."""
        if self._kept is not None:
            with suppress(sa.exc.DBAPIError):
                self._kept.close()
            self._kept = None

    def _time(self, connection: sa.Connection) -> datetime:
        if self._asks_database_for_time:  # the nodes of a cluster share one clock: leases depend on it
            rows, _ = CLOCK.run(connection, {})
            told: datetime = rows[0].now
            return told
        return self.clock.now()


class CommitInDoubt(DatabaseUnavailable):
    """The connection broke while committing: it may or may not have happened, so nothing is run again."""

    code = "commit-in-doubt"
    title = "The database was lost while saving; look before trying again"


class _Write:
    """One caller's function, and what became of it."""

    __slots__ = ("failure", "fn", "future", "has_begun", "is_withdrawn", "loop", "result")

    def __init__(
        self,
        fn: Callable[[Transaction], Any],
        future: "asyncio.Future[Any] | Future[Any]",
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.fn = fn
        self.future = future
        self.loop = loop
        self.result: Any = None
        self.failure: BaseException | None = None
        self.has_begun = self.is_withdrawn = False

    def run(self, now: Transaction) -> None:
        self.result = self.fn(now)

    def run_apart(self, now: Transaction) -> None:
        self.result = self.failure = None
        try:
            with now.connection.begin_nested():
                self.result = self.fn(now)
        except sa.exc.OperationalError:
            raise  # not this caller's fault alone: the connection, the disk or a deadlock
        except Exception as refusal:  # noqa: BLE001 handed to the caller whose savepoint it undid
            self.failure = refusal

    def answer(self) -> None:
        if self.future.done():
            return
        if self.failure is not None:
            self.future.set_exception(self.failure)
        else:
            self.future.set_result(self.result)


async def _until_done(future: "asyncio.Future[Any]") -> None:
    """However often the caller is cancelled meanwhile: a commit takes no longer for that."""
    while not future.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait((future,))


def _cancel_later(cancelled: asyncio.CancelledError) -> None:
    """The same cancellation once more, counted once: time-outs and task groups tell by the count what was theirs."""
    task = asyncio.current_task()
    assert task is not None, "only a task is cancelled"
    task.uncancel()
    task.cancel(*cancelled.args)


def _deliver(batch: list[_Write]) -> None:
    """One wake-up of each event loop for all of its callers."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[_Write]] = {}
    for write in batch:
        by_loop.setdefault(write.loop, []).append(write)
    for loop, writes in by_loop.items():
        if loop is None:
            _answer_all(writes)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_answer_all, writes)


def _answer_all(writes: list[_Write]) -> None:
    for write in writes:
        write.answer()


def _may_run_again(problem: Exception) -> bool:
    if not isinstance(problem, sa.exc.OperationalError):
        return False
    state = getattr(problem.orig, "sqlstate", None)
    # 40001 serialization failure, 40P01 deadlock, 55P03 lock not available, 57P0x the server is restarting
    return (
        problem.connection_invalidated
        or state is None
        or state[:5] in {"40001", "40P01", "55P03"}
        or state[:3] == "57P"
    )


def _translated(problem: Exception) -> Exception:
    if isinstance(problem, sa.exc.OperationalError | sa.exc.InterfaceError):
        full = "disk is full" in str(problem.orig) or getattr(problem.orig, "sqlstate", None) == "53100"
        refusal: Exception = StorageFull() if full else DatabaseUnavailable()
        refusal.__cause__ = problem
        return refusal
    return problem


def _engine(url: sa.URL, *, begin: str, size: int, read_only: bool = False) -> sa.Engine:
    # What is bound are people's words and hashes: no log line shows them.
    usual: dict[str, Any] = {"hide_parameters": True, "json_deserializer": orjson.loads}
    usual["json_serializer"] = lambda value: orjson.dumps(value).decode()
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, poolclass=QueuePool, pool_size=size, max_overflow=0, **usual)
        _teach_sqlite(engine, begin=begin, read_only=read_only)
        return engine
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if read_only else {}
    return sa.create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 3, "options": "-c timezone=UTC -c lock_timeout=5000"},
        execution_options=options,
        **usual,
    )


def _teach_sqlite(engine: sa.Engine, *, begin: str, read_only: bool) -> None:
    """Our own BEGIN: a transaction that reads first and then writes would fail with BUSY whatever the time-out."""

    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.executescript(
            "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            # 64 MB of pages and a memory map keep deep pages of a long history within their 20 ms
            "PRAGMA cache_size=-65536; PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;"
            + ("PRAGMA query_only=ON;" if read_only else "")
        )

    beginning = Prepared(sa.text(begin))

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        beginning.run(connection, {})
