"""One's own account: looking at it, changing it, leaving."""

import httpx2
import pytest

from retinue import assembly
from tests.accounts.people import PASSWORD, Person, with_key

NEW = "another-battery-staple"


async def enters(http: httpx2.AsyncClient, email: str, password: str) -> bool:
    answer = await http.post("/api/v1/sessions", json={"email": email, "password": password})
    return answer.status_code == 200


class TestChanging:
    async def test_what_is_sent_changes_and_the_rest_stays(self, ada: Person) -> None:
        changed = await ada.patch("/api/v1/me", json={"name": "Augusta"})
        assert changed.status_code == 200
        again = (await ada.patch("/api/v1/me", json={"surname": "King"})).json()
        assert (again["name"], again["surname"]) == ("Augusta", "King")

    async def test_an_employee_number_is_changed_by_admins_and_is_one_persons(
        self, ada: Person, bob: Person, admin: Person
    ) -> None:
        assert (await ada.patch("/api/v1/me", json={"employee_number": "E-7"})).status_code == 422
        place = "/api/v1/admin/users"
        given = await admin.patch(f"{place}/{ada.user.id}", json={"employee_number": "E-7"})
        assert given.json()["employee_number"] == "E-7"
        taken = await admin.patch(f"{place}/{bob.user.id}", json={"employee_number": "E-7"})
        assert (taken.status_code, taken.json()["code"]) == (409, "employee-number-taken")

    @pytest.mark.parametrize(
        "read_only", ["id", "role", "active", "created_at", "updated_at", "password_hash", "deleted_at"]
    )
    async def test_what_is_not_theirs_to_say_is_refused(self, ada: Person, read_only: str) -> None:
        before = (await ada.get("/api/v1/me")).json()
        assert (await ada.patch("/api/v1/me", json={read_only: "admin"})).status_code == 422
        assert (await ada.get("/api/v1/me")).json() == before

    async def test_a_new_password_needs_the_present_one_and_ends_all_sessions(self, ada: Person) -> None:
        assert (await ada.patch("/api/v1/me", json={"password": NEW})).status_code == 422
        wrong = await ada.patch("/api/v1/me", json={"password": NEW, "current_password": "not-the-one"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong-password")
        weak = await ada.patch("/api/v1/me", json={"password": "password1", "current_password": PASSWORD})
        assert (weak.status_code, weak.json()["code"]) == (422, "weak-password")
        right = await ada.patch("/api/v1/me", json={"password": NEW, "current_password": PASSWORD})
        assert right.status_code == 200
        assert (await ada.get("/api/v1/me")).status_code == 401
        assert [await enters(ada.http, "ada@example.com", typed) for typed in (PASSWORD, NEW)] == [False, True]

    async def test_a_new_address_needs_the_password_and_must_be_free(self, ada: Person, bob: Person) -> None:
        assert (await ada.patch("/api/v1/me", json={"email": "new@example.com"})).status_code == 422
        taken = await ada.patch("/api/v1/me", json={"email": "BOB@example.com", "current_password": PASSWORD})
        assert (taken.status_code, taken.json()["code"]) == (409, "email-taken")
        moved = await ada.patch("/api/v1/me", json={"email": "new@example.com", "current_password": PASSWORD})
        assert moved.json()["email"] == "new@example.com"
        assert await enters(ada.http, "new@example.com", PASSWORD)

    async def test_guesses_of_the_present_password_are_counted_too(self, ada: Person) -> None:
        answers = [
            await ada.patch("/api/v1/me", json={"password": NEW, "current_password": f"guess number {number}"})
            for number in range(6)
        ]
        assert [answer.status_code for answer in answers] == [403] * 5 + [429]


class TestLeaving:
    async def test_nothing_names_the_person_any_more_and_the_address_is_free(
        self, house: assembly.House, ada: Person, admin: Person
    ) -> None:
        key = with_key(house, ada)
        assert (await ada.delete("/api/v1/me")).status_code == 204
        for gone in (ada, key):
            assert (await gone.get("/api/v1/me")).status_code == 401
        assert not await enters(ada.http, "ada@example.com", PASSWORD)
        assert (await admin.get(f"/api/v1/admin/users/{ada.user.id}")).status_code == 404
        kept = await house.database.read(
            lambda now: (
                str(now.connection.exec_driver_sql("SELECT * FROM users").all())
                + str(now.connection.exec_driver_sql("SELECT * FROM sessions").all())
            )
        )
        assert ada.user.id in kept
        assert "ada@example.com" not in kept
        again = await ada.http.post("/api/v1/users", json={"email": "ada@example.com", "password": PASSWORD})
        assert again.status_code == 201
        assert again.json()["id"] != ada.user.id

    async def test_higher_rooms_hear_of_it_in_the_same_transaction(self, house: assembly.House, ada: Person) -> None:
        heard: list[str] = []
        house.accounts.after_delete += (lambda _now, user_id: heard.append(user_id),)
        await ada.delete("/api/v1/me")
        assert set(heard) == {ada.user.id}

    async def test_a_room_that_fails_at_sign_up_leaves_no_account(self, house: assembly.House, ada: Person) -> None:
        def fail(_now: object, _user_id: str) -> None:
            raise ZeroDivisionError

        house.accounts.after_sign_up += (fail,)
        eve = {"email": "eve@example.com", "password": PASSWORD}
        assert (await ada.http.post("/api/v1/users", json=eve)).status_code == 500
        house.accounts.after_sign_up = ()
        assert (await ada.http.post("/api/v1/users", json=eve)).status_code == 201

    async def test_the_last_admin_cannot_leave(self, admin: Person, bob: Person) -> None:
        refused = await admin.delete("/api/v1/me")
        assert (refused.status_code, refused.json()["code"]) == (409, "last-admin")
        await admin.patch(f"/api/v1/admin/users/{bob.user.id}", json={"role": "admin"})
        assert (await admin.delete("/api/v1/me")).status_code == 204
