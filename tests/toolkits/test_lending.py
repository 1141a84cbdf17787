"""Kits go out and come back: with a picture, by hand, in turn, and never twice."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from retinue import assembly
from retinue.accounts import people
from retinue.accounts.access import Identity
from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.toolkits import kits, lending
from retinue.toolkits.kits import KitOut
from retinue.toolkits.lending import Evidence, HandOver, KitChanged
from retinue.toolkits.tables import Loan
from tests.accounts.people import Person, add_person
from tests.datasets.sending import books, credits_of
from tests.pictures import drawn
from tests.toolkits.asking import a_kit, first_kit, names
from tests.toolkits.scenes import LAST, bench


@pytest.fixture
async def worker(ada: Person, house: assembly.House) -> Person:
    """Ada with her employee number."""
    house.database.write_now(lambda now: people.change(now, ada.user.id, {"employee_number": "E-7"}))
    return ada


async def hand(person: Person, way: str, kit: dict[str, Any], *, picture: bytes | None = None, **told: Any) -> Any:
    """The answer to an issue or a return, which must be a loan."""
    path = f"/api/v1/toolkits/{kit['id']}/{way}"
    if picture is None:
        answer = await person.post(path, json=told)
    else:
        answer = await person.post(path, files={"picture": ("kit.png", picture)}, data=told)
    assert answer.status_code == 201, answer.text
    return answer.json()


NOTHING = {"name": "Empty case", "description": "", "model": None}


def hand_over_of(now: Transaction, kit_id: str, clerk: Person) -> tuple[Transaction, HandOver, Evidence, Identity]:
    """An issue by hand to the clerk."""
    told = HandOver("issue", kits.contents_of(now, kit_id))
    return now, told, Evidence(), Identity(clerk.user.id, clerk.user.email, "operator")


def wait_for_a_lock(database: Database) -> None:
    """Until somebody waits for somebody else's row."""
    mine = "datname = current_database() AND wait_event_type = 'Lock'"
    waiting = sa.text(f"SELECT count(*) FROM pg_stat_activity WHERE {mine}")
    deadline = time.monotonic() + 120
    while not database.read_now(lambda now: now.value(waiting)):
        assert time.monotonic() < deadline, "nobody waits"


class TestTheStory:
    async def test_a_kit_goes_out_complete_and_comes_back_without_a_tool(
        self, olga: Person, worker: Person, house: assembly.House
    ) -> None:
        kit = await first_kit(olga)
        issue = await hand(olga, "issue", kit, picture=bench(), employee_number="E-7", signed_by="Olga", place="Bay 3")
        assert (issue["type"], issue["status"], issue["missing"]) == ("issue", "complete", [])
        assert (issue["person"]["employee_number"], issue["clerk"]["id"]) == ("E-7", olga.user.id)
        assert (issue["open"], issue["signed_by"], issue["place"]) == (True, ["Olga"], "Bay 3")
        assert (await first_kit(worker))["loan_id"] == issue["id"]

        way = f"/api/v1/toolkits/{kit['id']}/return"
        silent = await olga.post(way, files={"picture": bench(10)}, data={"employee_number": "E-7"})
        assert (silent.status_code, silent.json()["code"]) == (422, "reason-needed")
        assert names(silent.json()["missing"]) == [LAST.capitalize()]
        assert await credits_of(olga) == (97.25, 0.0)

        back = await hand(olga, "return", kit, picture=bench(10), employee_number="E-7", reason="left at aircraft 12")
        assert (back["type"], back["status"], back["issue_id"]) == ("return", "incomplete", issue["id"])
        assert names(back["missing"]) == [LAST.capitalize()]
        assert (await first_kit(olga))["out"] is False
        assert (await olga.get(f"/api/v1/loans/{issue['id']}")).json()["ended_at"] == back["time"]

        tool_id = back["missing"][0]["tool_id"]
        history = (await olga.get(f"/api/v1/tools/{tool_id}/history")).json()["items"]
        assert [(one["type"], one["found"], one["missing"], one["reason"]) for one in history] == [
            ("return", 0, 1, "left at aircraft 12"),
            ("issue", 1, 0, ""),
        ]
        for loan in (issue, back):
            for link in (loan["picture_url"], loan["annotated_url"]):
                assert (await olga.http.get(link)).status_code == 200
        assert await credits_of(olga) == (94.5, 0.0)
        assert books(house) == []


class TestByHand:
    async def test_without_a_model_people_keep_the_list(self, olga: Person, worker: Person) -> None:
        kit = await a_kit(olga, "hammer", "saw")
        saw = next(item["tool_id"] for item in kit["items"] if item["name"] == "saw")
        issue = await hand(olga, "issue", kit, employee_number="E-7")
        assert (issue["status"], [line["seen"] for line in issue["lines"]]) == ("complete", [None, None])
        corrections = [{"tool_id": saw, "present": False, "comment": "blade broken"}]
        back = await hand(olga, "return", kit, employee_number="E-7", corrections=corrections, reason="in repair")
        assert (back["status"], names(back["missing"])) == ("incomplete", ["saw"])
        assert [line["comment"] for line in back["lines"]] == ["", "blade broken"]
        assert await credits_of(olga) == (100.0, 0.0)

    async def test_its_picture_is_kept_although_no_model_looks(self, olga: Person) -> None:
        kit = await a_kit(olga, "hammer")
        loan = await hand(olga, "issue", kit, picture=drawn(1))
        assert (await olga.http.get(loan["picture_url"])).content == drawn(1)
        assert (loan["status"], loan["prediction_id"], loan["lines"][0]["seen"]) == ("complete", None, None)

    async def test_what_the_picture_missed_is_put_right(self, olga: Person) -> None:
        kit = await first_kit(olga)
        gone = next(item["tool_id"] for item in kit["items"] if item["label"] == LAST)
        corrections = f'[{{"tool_id": "{gone}", "present": true}}]'
        loan = await hand(olga, "issue", kit, picture=bench(10), corrections=corrections)
        assert (loan["status"], loan["missing"]) == ("overridden", [])
        line = next(line for line in loan["lines"] if line["tool_id"] == gone)
        assert (line["expected"], line["seen"], line["found"]) == (1, 0, 1)

    async def test_what_lies_there_beside_the_kit_is_on_record(self, olga: Person) -> None:
        kit = await a_kit(olga, "pliers", model="toolbox")
        loan = await hand(olga, "issue", kit, picture=bench())
        assert (loan["status"], len(loan["extra"])) == ("complete", 10)
        crop = await olga.http.get(loan["extra"][0]["crop_url"])
        assert crop.headers["content-type"] == "image/jpeg"


class TestWhatCannotBe:
    async def test_out_once_and_in_once(self, olga: Person, house: assembly.House) -> None:
        kit = await first_kit(olga)
        path = f"/api/v1/toolkits/{kit['id']}"
        early = await olga.post(f"{path}/return", json={})
        assert (early.status_code, early.json()["code"]) == (409, "toolkit-in")
        await hand(olga, "issue", kit)
        for sent in ({"json": {}}, {"files": {"picture": bench()}}):
            again = await olga.post(f"{path}/issue", **sent)
            assert (again.status_code, again.json()["code"]) == (409, "toolkit-out")
            assert "Hand toolkit" in again.json()["detail"]
        assert (await olga.patch(path, json={"items": []})).json()["code"] == "toolkit-out"
        assert (await olga.delete(path)).json()["code"] == "toolkit-out"
        assert (await olga.patch(path, json={"description": "still ours"})).status_code == 200
        await hand(olga, "return", kit)
        assert (await olga.post(f"{path}/return", json={})).json()["code"] == "toolkit-in"
        assert await credits_of(olga) == (100.0, 0.0)
        assert books(house) == []

    @pytest.mark.parametrize("sent", [{"json": {}}, {"files": {"picture": ("kit.png", bench())}}], ids=["hand", "eye"])
    async def test_of_clerks_at_once_one_wins(self, olga: Person, house: assembly.House, sent: dict[str, Any]) -> None:
        kit = await first_kit(olga)
        clerks = [add_person(house, olga.http, f"clerk{n}@example.com", role="operator") for n in range(3)]
        for way, code, told in (("issue", "toolkit-out", sent), ("return", "toolkit-in", {"json": {}})):
            path = f"/api/v1/toolkits/{kit['id']}/{way}"
            answers = await asyncio.gather(*(clerk.post(path, **told) for clerk in clerks))
            assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
            assert {answer.json().get("code") for answer in answers} == {None, code}
        assert len((await olga.get("/api/v1/loans")).json()["items"]) == 2
        paid = sum([100 - (await credits_of(clerk))[0] for clerk in clerks])
        assert paid == (0 if "json" in sent else 2.75)  # who loses pays nothing
        assert books(house) == []

    def test_two_nodes_hand_out_one_kit(self, olga: Person, house: assembly.House) -> None:
        """Each on a connection of its own: the second has seen the kit in, and waits for the row of the first."""
        kit_id = house.database.write_now(lambda now: kits.add(now, NOTHING, [], by=None)).id
        node = Database(str(house.settings.database), clock=house.clock)
        with closing(node), ThreadPoolExecutor(1) as other:
            with house.database.alone() as connection:
                lending.hand_over(*hand_over_of(Transaction(connection, house.clock.now()), kit_id, olga))
                late = other.submit(node.write_now, lambda now: lending.hand_over(*hand_over_of(now, kit_id, olga)))
                if not node.is_sqlite:
                    wait_for_a_lock(house.database)
            with pytest.raises(KitOut, match="issued"):
                late.result(timeout=120)
        assert len(house.database.read_now(lambda now: now.all(sa.select(Loan)))) == 1

    def test_not_on_a_check_against_contents_of_before(self, olga: Person, house: assembly.House) -> None:
        kit_id = house.database.write_now(lambda now: kits.add(now, NOTHING, [], by=None)).id
        told = house.database.read_now(lambda now: hand_over_of(now, kit_id, olga))[1:]
        house.database.write_now(lambda now: kits.change(now, kit_id, {}, [], by=olga.user.id))
        with pytest.raises(KitChanged):
            house.database.write_now(lambda now: lending.hand_over(now, *told))

    async def test_a_refused_kit_stays_where_it_is(self, olga: Person) -> None:
        kit = await a_kit(olga, "hammer")
        refused = await hand(olga, "issue", kit, refused=True, reason="handle split")
        assert (refused["status"], refused["open"]) == ("refused", False)
        issue = await hand(olga, "issue", kit)
        assert (await hand(olga, "return", kit, refused=True, reason="wet"))["status"] == "refused"
        assert (await olga.get(f"/api/v1/loans/{issue['id']}")).json()["open"] is True

    async def test_the_proof_of_a_loan_is_not_deleted(self, olga: Person) -> None:
        kit = await first_kit(olga)
        loan = await hand(olga, "issue", kit, picture=bench())
        refused = await olga.delete(f"/api/v1/predictions/{loan['prediction_id']}")
        assert (refused.status_code, refused.json()["code"]) == (409, "prediction-signed")
        check = (await olga.post(f"/api/v1/toolkits/{kit['id']}/check", files={"picture": bench()})).json()
        assert (await olga.delete(f"/api/v1/predictions/{check['prediction_id']}")).status_code == 204
        assert (await olga.http.get(loan["picture_url"])).status_code == 200

    async def test_nor_is_the_picture_of_one_by_hand(self, olga: Person) -> None:
        loan = await hand(olga, "issue", await a_kit(olga, "hammer"), picture=drawn(1))
        assert loan["prediction_id"] is None
        asked = (await olga.post("/api/v1/predict", files={"file": drawn(1)})).json()
        refused = await olga.delete(f"/api/v1/predictions/{asked['prediction_id']}")
        assert (refused.status_code, refused.json()["code"]) == (409, "prediction-signed")
        assert (await olga.http.get(loan["picture_url"])).status_code == 200

    async def test_a_proof_opens_when_its_clerk_is_disabled(self, olga: Person, admin: Person) -> None:
        kit = await a_kit(olga, "pliers", model="toolbox")
        shown = await olga.ask("PUT", f"/api/v1/toolkits/{kit['id']}/picture", files={"picture": drawn(2)})
        assert shown.status_code == 200, shown.text
        loan = await hand(olga, "issue", kit, picture=bench())
        mine = (await olga.get(f"/api/v1/predictions/{loan['prediction_id']}")).json()["image_url"]
        await admin.patch(f"/api/v1/admin/users/{olga.user.id}", json={"active": False})
        told = (await admin.get(f"/api/v1/loans/{loan['id']}")).json()
        kit = (await admin.get(f"/api/v1/toolkits/{kit['id']}")).json()
        links = [told["picture_url"], told["annotated_url"], told["extra"][0]["crop_url"], kit["picture_url"]]
        assert [(await admin.http.get(link)).status_code for link in links] == [200] * 4
        assert (await admin.http.get(mine)).status_code == 403

    async def test_whoever_has_a_kit_does_not_leave(self, olga: Person, worker: Person, admin: Person) -> None:
        kit = await a_kit(olga, "hammer")
        await hand(olga, "issue", kit, employee_number="E-7")
        for refused in (
            await worker.delete("/api/v1/me"),
            await admin.delete(f"/api/v1/admin/users/{worker.user.id}"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (409, "holds-a-toolkit")
            assert "kit of hammer" in refused.json()["detail"]
        loan = await hand(olga, "return", kit)
        assert (await worker.delete("/api/v1/me")).status_code == 204
        left = (await olga.get(f"/api/v1/loans/{loan['issue_id']}")).json()["person"]
        assert left == {"id": worker.user.id, "name": "", "surname": "", "employee_number": None}

    async def test_words_that_make_no_sense(self, olga: Person) -> None:
        kit = await a_kit(olga, "hammer")
        path = f"/api/v1/toolkits/{kit['id']}/issue"
        hammer = kit["items"][0]["tool_id"]
        refused = [
            ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed-request"),
            ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-kind"),
            ({"json": []}, 422, "invalid-parameters"),
            ({"json": {"corrections": [{"tool_id": hammer}]}}, 422, "invalid-parameters"),
            ({"json": {"corrections": [{"tool_id": "x", "found": 0}]}}, 422, "not-in-toolkit"),
            ({"json": {"corrections": [{"tool_id": hammer, "found": 2}]}}, 422, "more-than-belong"),
            ({"json": {"place": "a\u0000b"}}, 422, "invalid-parameters"),
            ({"json": {"employee_number": "nobody"}}, 404, "no-such-employee"),
            ({"data": {"corrections": "["}, "files": {"picture": drawn(1)}}, 422, "invalid-parameters"),
            ({"files": {"picture": b"no picture at all"}}, 415, None),
        ]
        for sent, status, code in refused:
            answer = await olga.post(path, **sent)
            assert answer.status_code == status, answer.text
            assert code in (None, answer.json()["code"])
        assert (await olga.get("/api/v1/loans")).json()["items"] == []


class TestWho:
    async def test_people_act_for_themselves_and_operators_for_anybody(
        self, olga: Person, worker: Person, bob: Person
    ) -> None:
        kit = await a_kit(olga, "hammer")
        path = f"/api/v1/toolkits/{kit['id']}"
        for number in ("E-7", "nobody"):
            for_another = await bob.post(f"{path}/issue", json={"employee_number": number})
            assert (for_another.status_code, for_another.json()["code"]) == (403, "for-operators")
        issue = await hand(worker, "issue", kit)
        assert (await bob.post(f"{path}/return", json={})).json()["code"] == "for-operators"
        assert (await bob.get(f"/api/v1/loans/{issue['id']}")).status_code == 404
        assert (await bob.get("/api/v1/loans")).json()["items"] == []
        assert (await worker.get(f"/api/v1/loans/{issue['id']}")).json()["person"]["id"] == worker.user.id
        assert (await hand(olga, "return", kit, employee_number="E-7"))["issue_id"] == issue["id"]

    async def test_nobody_who_is_disabled_gets_a_kit_but_brings_it_back(
        self, olga: Person, worker: Person, admin: Person
    ) -> None:
        kit, another = await a_kit(olga, "hammer"), await a_kit(olga, "saw")
        await hand(olga, "issue", kit, employee_number="E-7")
        await admin.patch(f"/api/v1/admin/users/{worker.user.id}", json={"active": False})
        refused = await olga.post(f"/api/v1/toolkits/{another['id']}/issue", json={"employee_number": "E-7"})
        assert (refused.status_code, refused.json()["code"]) == (409, "employee-disabled")
        assert (await hand(olga, "return", kit, employee_number="E-7"))["status"] == "complete"


class TestSentAgain:
    @pytest.mark.parametrize("picture", [None, bench()], ids=["hand", "eye"])
    async def test_under_its_key_it_happens_once(self, olga: Person, picture: bytes | None) -> None:
        kit = await first_kit(olga)
        key = {"Idempotency-Key": "issue-1"}
        sent: dict[str, Any] = {"json": {}} if picture is None else {"files": {"picture": picture}}
        first, again = [await olga.post(f"/api/v1/toolkits/{kit['id']}/issue", headers=key, **sent) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 201)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        other = await olga.post(f"/api/v1/toolkits/{kit['id']}/issue", headers=key, json={"place": "elsewhere"})
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
        assert len((await olga.get("/api/v1/loans")).json()["items"]) == 1


class TestOverdue:
    async def test_a_kit_that_is_not_back_in_time(self, olga: Person, clock: SetClock) -> None:
        late, early = await a_kit(olga, "hammer"), await a_kit(olga, "saw")
        due_at = (clock.now() + timedelta(minutes=5)).isoformat()
        issue = await hand(olga, "issue", late, due_at=due_at)
        usual = await hand(olga, "issue", early)
        assert (issue["overdue"], usual["overdue"]) == (False, False)
        assert datetime.fromisoformat(usual["due_at"]) == clock.now() + timedelta(hours=24)
        clock.advance(minutes=8)
        assert [one["id"] for one in (await olga.get("/api/v1/loans?overdue=true")).json()["items"]] == [issue["id"]]
        assert (await olga.get(f"/api/v1/loans/{issue['id']}")).json()["overdue"] is True
        assert (await olga.get(f"/api/v1/loans/{usual['id']}")).json()["overdue"] is False
        await hand(olga, "return", late)
        assert (await olga.get("/api/v1/loans?overdue=true")).json()["items"] == []


class TestListing:
    async def test_by_kit_type_status_and_person_page_by_page(self, olga: Person, worker: Person) -> None:
        kit = await a_kit(olga, "hammer")
        for _ in range(2):
            await hand(olga, "issue", kit, employee_number="E-7")
            await hand(olga, "return", kit)
        other = await hand(olga, "issue", await a_kit(olga, "saw"))
        filters = {
            "type=issue": 3,
            f"toolkit_id={kit['id']}": 4,
            "status=incomplete": 0,
            "employee_number=E-7": 2,
            "open=true": 1,
        }
        for told, count in filters.items():
            assert len((await olga.get(f"/api/v1/loans?{told}")).json()["items"]) == count, told
        first = (await olga.get("/api/v1/loans?limit=1")).json()
        assert first["items"][0]["id"] == other["id"]
        rest = (await olga.get(f"/api/v1/loans?limit=10&cursor={first['next_cursor']}")).json()
        assert (len(rest["items"]), rest["next_cursor"]) == (4, None)
