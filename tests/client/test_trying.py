"""What is sent again, and what never: rules as a table, then a line that breaks."""

import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from retinue.client import Client, Tries, Unreachable
from retinue.client.asking import Answer, Request
from retinue.client.errors import BRANCHES, LEAVES, Problem, RetinueError, problem_in
from retinue.client.trying import Again, GiveUp, next_try
from tests.client.cut import Cut
from tests.client.judge import Judge
from tests.client.served import Served
from tests.pictures import drawn

SAFE = Request("GET", "/x", may_repeat=True)
KEYED = Request("POST", "/x", may_repeat=True)
BARE = Request("POST", "/x")
QUICK = Tries(most=3)


def refused(status: int, code: str = "", **headers: str) -> Problem:
    problem = problem_in(Answer(status, headers, f'{{"code": "{code}"}}'.encode()))
    assert problem is not None
    return problem


class TestRules:
    @pytest.mark.parametrize(
        ("request_", "failure", "again"),
        [
            (SAFE, refused(503), True),
            (SAFE, refused(429), True),
            (SAFE, refused(502), True),
            (SAFE, refused(404), False),
            (SAFE, refused(500), False),
            (SAFE, Unreachable("cut", was_sent=True), True),
            (KEYED, refused(503), True),
            (KEYED, refused(409, "still-running"), True),
            (KEYED, refused(409, "conflict"), False),
            (KEYED, Unreachable("cut", was_sent=True), True),
            (KEYED, refused(402), False),
            (BARE, refused(429), True),
            (BARE, refused(503), False),
            (BARE, Unreachable("no such host", was_sent=False), True),
            (BARE, Unreachable("cut", was_sent=True), False),
        ],
    )
    def test_only_what_cannot_count_twice(self, request_: Request, failure: RetinueError, again: bool) -> None:
        assert isinstance(next_try(request_, failure, tried=1, tries=QUICK), Again) is again

    def test_not_for_ever(self) -> None:
        assert next_try(SAFE, refused(503), tried=3, tries=QUICK) == GiveUp()

    def test_the_server_says_when(self) -> None:
        told = refused(503, **{"retry-after": "7"})
        pauses = [next_try(SAFE, told, tried=1, tries=QUICK) for _ in range(20)]
        assert all(isinstance(one, Again) and 7 <= one.after_s <= 8.75 for one in pauses)
        assert len(set(pauses)) > 1
        assert next_try(SAFE, refused(429, **{"retry-after": "600"}), tried=1, tries=QUICK) == GiveUp()

    def test_pauses_grow_to_a_limit_and_differ(self) -> None:
        longest = [
            max(
                found.after_s
                for _ in range(50)
                if isinstance(found := next_try(SAFE, refused(503), tried=n, tries=Tries(most=99)), Again)
            )
            for n in (1, 3, 20)
        ]
        assert longest[0] < 0.6 < longest[1] < longest[2] <= 8
        assert not math.isclose(longest[0], longest[1])


class TestTree:
    def test_every_code_of_the_server_has_the_branch_of_its_status(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text("utf-8")
        rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
        assert len(rows) > 100
        for code, status in ((one.strip(" `"), int(told)) for one, told in rows):
            branch = BRANCHES[status]
            assert issubclass(LEAVES.get(code, branch), branch), code
            assert refused(status, code).code == code

    def test_what_a_proxy_says_is_a_problem_too(self) -> None:
        problem = problem_in(Answer(502, {}, b"<html>bad gateway</html>"))
        assert problem is not None
        assert (problem.status, problem.code, problem.detail) == (502, "unknown", "The server answered 502")


class TestBrokenLine:
    def test_an_answer_that_was_lost_is_fetched_again_and_charged_once(
        self, server: Served, judge: Judge, new_key: Callable[..., str]
    ) -> None:
        line = Cut(judge, [("POST", 1, "after"), ("POST", 2, "before")])
        with Client(server.address, key=new_key(), transport=line) as client:
            before = client.credits.balance().available
            seen = client.predict(drawn(77), cache=False)
            assert client.credits.balance().available == before - 2.75
            assert [one.prediction_id for one in client.predictions.list()] == [seen.prediction_id]
        keys = {one.headers["Idempotency-Key"] for one in line.sent if one.method == "POST"}
        assert (len(keys), sum(one.method == "POST" for one in line.sent)) == (1, 3)

    def test_what_has_no_key_is_not_sent_twice(self, server: Served, judge: Judge, new_key: Callable[..., str]) -> None:
        line = Cut(judge, [("POST", 1, "after")])
        with Client(server.address, key=new_key(), transport=line) as client:
            with pytest.raises(Unreachable) as cut:
                client.datasets.create("photos")
            assert cut.value.was_sent
            assert [one.name for one in client.datasets.list()] == ["photos"]

    def test_a_download_that_broke_is_whole_or_not_there(
        self, server: Served, judge: Judge, new_key: Callable[..., str], tmp_path: Path
    ) -> None:
        line = Cut(judge, [("GET", 1, "midway")])
        file = tmp_path / "kit.zip"
        with Client(server.address, key=new_key(), transport=line, tries=Tries(most=1)) as client:
            client.datasets.create("kit")
            client.datasets.add("kit", drawn(1))
            with pytest.raises(Unreachable):
                client.datasets.export("kit", file)
            assert list(tmp_path.iterdir()) == []
        line = Cut(judge, [("GET", 1, "midway")])
        with Client(server.address, key=client._sender.credential.token, transport=line) as client:
            archive = zipfile.ZipFile(client.datasets.export("kit", file))
        with archive:
            assert archive.testzip() is None
        assert [one.name for one in tmp_path.iterdir()] == ["kit.zip"]

    def test_nobody_there(self) -> None:
        with Client("http://127.0.0.1:9", key="k", tries=Tries(most=2)) as client, pytest.raises(Unreachable) as gone:
            client.info()
        assert isinstance(gone.value.__cause__, httpx2.ConnectError)
