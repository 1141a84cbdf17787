"""The servers that other tests stand on: they are real, fresh, can be killed, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import obstore
import psycopg
import pytest
import redis
from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import S3Store

from tests.servers.postgres import OwnPostgres, Postgres
from tests.servers.processes import own_folder
from tests.servers.s3 import S3Server
from tests.servers.valkey import OwnValkey, Valkey

CHECKOUT = Path(__file__).parents[2]

ORPHAN = """
import os, sys
from tests.servers.postgres import own_postgres
from tests.servers.valkey import own_valkey

with own_postgres() as database, own_valkey() as cache:
    print(database._process.pid, cache._process.pid, database._folder, cache._folder, flush=True)
    sys.stdin.read()
"""


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as on:
        cursor = on.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_running(pid: int) -> bool:
    try:
        return "(zombie)" not in (Path("/proc") / str(pid) / "status").read_text()
    except FileNotFoundError:
        return False


class TestPostgres:
    def test_a_test_gets_an_empty_database_of_its_own(self, postgres_url: str) -> None:
        assert ask(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        assert str(ask(postgres_url, "SELECT current_database()")[0][0]).startswith("retinue_test_")

    def test_a_copy_of_a_template_has_its_rows_and_keeps_its_changes_to_itself(self, postgres: Postgres) -> None:
        filled: list[str] = []

        def fill(url: str) -> None:
            filled.append(url)
            ask(url, "CREATE TABLE tools AS SELECT 'pliers' AS name")

        for _ in range(2):
            like = postgres.ensure_template("with-tools", fill=fill)
            with postgres.fresh_database(like=like) as url:
                assert ask(url, "SELECT name FROM tools") == [("pliers",)]
                ask(url, "DELETE FROM tools")
        assert len(filled) == 1

    def test_a_database_is_dropped_even_while_somebody_is_connected(self, postgres: Postgres) -> None:
        with postgres.fresh_database() as url:
            left_open = psycopg.connect(url.replace("+psycopg", ""))
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
        left_open.close()
        with pytest.raises(psycopg.OperationalError):
            ask(url, "SELECT 1")

    def test_a_killed_server_is_gone_and_comes_back_with_what_was_committed(
        self, own_postgres_server: OwnPostgres
    ) -> None:
        ask(own_postgres_server.url, "CREATE TABLE loans AS SELECT 7 AS id")
        own_postgres_server.kill()
        with pytest.raises(psycopg.OperationalError):
            ask(own_postgres_server.url, "SELECT 1")
        own_postgres_server.restart()
        assert ask(own_postgres_server.url, "SELECT id FROM loans") == [(7,)]

    def test_a_stopped_server_starts_again(self, own_postgres_server: OwnPostgres) -> None:
        own_postgres_server.stop()
        own_postgres_server.start()
        assert ask(own_postgres_server.url, "SELECT 1") == [(1,)]


class TestValkey:
    def test_keys_under_a_prefix_are_deleted_afterwards_and_others_are_left(self, valkey: Valkey) -> None:
        with valkey.fresh_prefix() as other, valkey.connection() as on:
            on.set(f"{other}kept", "1")
            with valkey.fresh_prefix() as prefix:
                on.set(f"{prefix}token", "1")
            assert on.get(f"{prefix}token") is None
            assert on.get(f"{other}kept") == b"1"

    def test_the_url_works(self, redis_url: str, redis_prefix: str) -> None:
        with redis.Redis.from_url(redis_url) as on:
            assert on.set(f"{redis_prefix}a", "1")

    def test_an_own_server_can_be_flushed_killed_and_restarted(self, own_valkey_server: OwnValkey) -> None:
        with own_valkey_server.connection() as on:
            on.set("a", "1")
            own_valkey_server.flush()
            assert on.get("a") is None
            own_valkey_server.kill()
            with pytest.raises(redis.ConnectionError):
                on.ping()
            own_valkey_server.restart()
            assert on.ping()


class TestLeavingNothingBehind:
    def test_servers_die_with_a_killed_parent_and_their_folders_are_swept_by_the_next(self) -> None:
        command = [sys.executable, "-c", ORPHAN]
        with subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as parent:
            assert parent.stdout is not None
            *pids, database_folder, cache_folder = parent.stdout.readline().split()
            assert all(is_running(int(pid)) for pid in pids)
            os.kill(parent.pid, signal.SIGKILL)
        assert within(60, lambda: not any(is_running(int(pid)) for pid in pids))
        assert Path(database_folder).exists()
        with own_folder("pg"), own_folder("valkey"):
            pass
        assert not Path(database_folder).exists()
        assert not Path(cache_folder).exists()


@pytest.mark.slow
class TestS3:
    async def test_the_store_keeps_what_is_put_and_checks_the_secret(self, s3_server: S3Server) -> None:
        url = s3_server.fresh_url()
        right = store_at(url, s3_server.key, s3_server.secret)
        await obstore.put_async(right, "a.bin", b"picture")
        assert bytes(await (await obstore.get_async(right, "a.bin")).bytes_async()) == b"picture"
        assert s3_server.is_real
        with pytest.raises(PermissionDeniedError):
            await obstore.get_async(store_at(url, s3_server.key, "a wrong secret"), "a.bin")

    async def test_a_killed_store_answers_nothing(self, own_s3_server: S3Server) -> None:
        store = store_at(own_s3_server.fresh_url(), own_s3_server.key, own_s3_server.secret)
        own_s3_server.kill()
        with pytest.raises(BaseError):
            await obstore.get_async(store, "a.bin")


def store_at(url: str, key: str, secret: str) -> S3Store:
    place, endpoint = url.split("?endpoint=")
    return S3Store.from_url(
        place,
        access_key_id=key,
        secret_access_key=secret,
        region="us-east-1",
        endpoint=unquote(endpoint),
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
