"""What admins do about people, and that it is written down."""

import asyncio

from retinue import assembly
from tests.accounts.people import PASSWORD, Person, add_person, with_key


class TestPeople:
    async def test_are_listed_latest_first_and_found_by_a_part_of_their_name(self, admin: Person) -> None:
        for name in ("Grace", "Joan", "50%_Off"):
            body = {"email": f"{len(name)}@example.com", "password": PASSWORD, "name": name, "role": "operator"}
            assert (await admin.post("/api/v1/admin/users", json=body)).status_code == 201
        first = (await admin.get("/api/v1/admin/users", params={"limit": 3})).json()
        assert [user["name"] for user in first["items"]] == ["50%_Off", "Joan", "Grace"]
        rest = (await admin.get("/api/v1/admin/users", params={"cursor": first["next_cursor"]})).json()
        assert [user["email"] for user in rest["items"]] == ["root@example.com"]
        assert rest["next_cursor"] is None
        for query, found in (("gRA", ["Grace"]), ("%_", ["50%_Off"]), ("nobody", [])):
            listed = (await admin.get("/api/v1/admin/users", params={"q": query})).json()
            assert [user["name"] for user in listed["items"]] == found
        assert len((await admin.get("/api/v1/admin/users", params={"role": "admin"})).json()["items"]) == 1

    async def test_disabling_ends_everything_at_once_and_can_be_undone(
        self, house: assembly.House, admin: Person, ada: Person
    ) -> None:
        key = with_key(house, ada)
        assert [(await one.get("/api/v1/me")).status_code for one in (ada, key)] == [200, 200]
        await admin.patch(f"/api/v1/admin/users/{ada.user.id}", json={"active": False})
        assert [(await one.get("/api/v1/me")).status_code for one in (ada, key)] == [401, 401]
        await admin.patch(f"/api/v1/admin/users/{ada.user.id}", json={"active": True})
        assert [(await one.get("/api/v1/me")).status_code for one in (ada, key)] == [401, 200]

    async def test_a_new_role_a_new_password_and_a_sign_out_end_sessions(self, admin: Person, ada: Person) -> None:
        place = f"/api/v1/admin/users/{ada.user.id}"
        for act in (
            lambda: admin.patch(place, json={"role": "operator"}),
            lambda: admin.post(f"{place}/password", json={"password": PASSWORD}),
            lambda: admin.delete(f"{place}/sessions"),
        ):
            body = {"email": "ada@example.com", "password": PASSWORD}
            ada.credential = (await ada.http.post("/api/v1/sessions", json=body)).json()["access_token"]
            assert (await ada.get("/api/v1/me")).status_code == 200
            assert (await act()).status_code in {200, 204}
            assert (await ada.get("/api/v1/me")).status_code == 401

    async def test_their_jobs_may_weigh_more(self, admin: Person, ada: Person) -> None:
        place = f"/api/v1/admin/users/{ada.user.id}"
        assert (await admin.get(place)).json()["weight"] == 1
        assert (await admin.patch(place, json={"weight": 3})).json()["weight"] == 3
        assert (await admin.patch(place, json={"weight": 0})).status_code == 422
        assert (await ada.patch("/api/v1/me", json={"weight": 9})).status_code == 422

    async def test_a_role_that_stays_ends_nothing(self, admin: Person, ada: Person) -> None:
        await admin.patch(f"/api/v1/admin/users/{ada.user.id}", json={"role": "user", "name": "Ada"})
        assert (await ada.get("/api/v1/me")).json()["name"] == "Ada"

    async def test_deleting_somebody_is_as_if_they_left(self, admin: Person, ada: Person) -> None:
        assert (await admin.delete(f"/api/v1/admin/users/{ada.user.id}")).status_code == 204
        assert (await ada.get("/api/v1/me")).status_code == 401
        assert (await admin.patch(f"/api/v1/admin/users/{ada.user.id}", json={"active": True})).status_code == 404

    async def test_half_a_change_is_no_change(self, admin: Person, bob: Person) -> None:
        place = f"/api/v1/admin/users/{admin.user.id}"
        refused = await admin.patch(place, json={"name": "Renamed", "role": "user"})
        assert refused.status_code == 409
        assert (await admin.get(place)).json()["name"] == ""

    async def test_two_admins_cannot_remove_each_other(self, house: assembly.House, admin: Person) -> None:
        other = add_person(house, admin.http, "other@example.com", role="admin")
        answers = await asyncio.gather(
            admin.patch(f"/api/v1/admin/users/{other.user.id}", json={"role": "user"}),
            other.patch(f"/api/v1/admin/users/{admin.user.id}", json={"active": False}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]

    async def test_ids_that_are_none_are_not_found(self, admin: Person) -> None:
        for user_id in ("0190b6a4-7c3e-7d1e-8f00-000000000001", "x", "x" * 5000):
            assert (await admin.get(f"/api/v1/admin/users/{user_id}")).status_code == 404


class TestTheAuditTrail:
    async def test_tells_who_did_what_to_whom(self, admin: Person, ada: Person) -> None:
        await admin.patch(f"/api/v1/admin/users/{ada.user.id}", json={"role": "operator"})
        await admin.post(f"/api/v1/admin/users/{ada.user.id}/password", json={"password": "another-battery-staple"})
        answer = await admin.get("/api/v1/admin/audit", params={"subject": ada.user.id})
        deeds = answer.json()["items"]
        assert [(deed["actor"], deed["action"]) for deed in deeds] == [
            (admin.user.id, "user.password"),
            (admin.user.id, "user.role"),
        ]
        assert deeds[1]["facts"] == {"from": "user", "to": "operator"}
        assert "another-battery-staple" not in answer.text
