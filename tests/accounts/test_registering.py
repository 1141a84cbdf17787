"""Opening an account: what it takes, what is refused, and that the answer tells the truth."""

import httpx2
import pytest

from retinue import assembly
from retinue.base.settings import Settings
from tests.accounts.people import PASSWORD, Person

ADA = {"email": "Ada@Example.com", "password": PASSWORD, "name": "Ada", "surname": "Lovelace"}


class TestRegistering:
    async def test_gives_an_account_that_can_sign_in(self, http: httpx2.AsyncClient) -> None:
        made = await http.post("/api/v1/users", json={**ADA, "employee_number": "E-7"})
        assert made.status_code == 201
        shown = made.json()
        assert (shown["email"], shown["name"], shown["employee_number"]) == ("ada@example.com", "Ada", "E-7")
        assert shown["role"] == "user"
        assert shown["created_at"].endswith("Z")
        assert "password" not in made.text
        entered = await http.post("/api/v1/sessions", json={"email": "ADA@example.com", "password": PASSWORD})
        assert entered.status_code == 200
        assert entered.json()["user"] == shown

    async def test_a_taken_address_is_told_whatever_its_case(self, http: httpx2.AsyncClient, ada: Person) -> None:
        refused = await http.post("/api/v1/users", json=ADA)
        assert (refused.status_code, refused.json()["code"]) == (409, "email-taken")

    async def test_an_employee_number_belongs_to_one_person(self, http: httpx2.AsyncClient) -> None:
        for email, status in (("a@example.com", 201), ("b@example.com", 409)):
            asked = await http.post("/api/v1/users", json={**ADA, "email": email, "employee_number": "E-7"})
            assert asked.status_code == status
        assert asked.json()["code"] == "employee-number-taken"

    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("short", "invalid-parameters"),
            ("x7" * 129, "invalid-parameters"),
            ("password1", "weak-password"),
            ("12345678", "weak-password"),
            ("Retinue2026!", "weak-password"),
            ("lovelace1815", "weak-password"),
        ],
    )
    async def test_passwords_that_anybody_would_try_are_refused(
        self, http: httpx2.AsyncClient, password: str, code: str
    ) -> None:
        refused = await http.post("/api/v1/users", json={**ADA, "password": password})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert password not in refused.text

    @pytest.mark.parametrize(
        "password", ["né en 1815 à Londres 🐎 " * 6, "x" * 3 + "y7#k" * 63, " leading and trailing "]
    )
    async def test_long_ones_with_spaces_and_emoji_are_welcome(self, http: httpx2.AsyncClient, password: str) -> None:
        assert (await http.post("/api/v1/users", json={**ADA, "password": password})).status_code == 201
        for typed, status in ((password, 200), (password.strip() + "!", 401)):
            entered = await http.post("/api/v1/sessions", json={"email": ADA["email"], "password": typed})
            assert entered.status_code == status

    @pytest.mark.parametrize(
        "wrong",
        [
            {"email": "nobody"},
            {"email": "a b@example.com"},
            {"email": "a\u0000@example.com"},
            {"name": "a\u0000"},
            {"name": "x" * 101},
            {"employee_number": ""},
            {"role": "admin"},
            {"active": False},
            {"name": None},
            {"password": None},
        ],
    )
    async def test_what_cannot_be_stored_or_is_not_theirs_to_say_is_refused(
        self, http: httpx2.AsyncClient, wrong: dict[str, object]
    ) -> None:
        refused = await http.post("/api/v1/users", json={**ADA, **wrong})
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("part", ["name", "email", "password", "surprise"])
    async def test_half_a_surrogate_pair_is_refused_wherever_it_stands(
        self, http: httpx2.AsyncClient, part: str
    ) -> None:
        fields = ", ".join(f'"{name}": "{value}"' for name, value in {**ADA, part: "abcdefgh\\ud800@x"}.items())
        refused = await http.post(
            "/api/v1/users", content=f"{{{fields}}}".encode(), headers={"Content-Type": "application/json"}
        )
        assert refused.status_code == 422

    async def test_an_address_may_register_ten_times_an_hour(self, http: httpx2.AsyncClient) -> None:
        for _ in range(10):
            assert (await http.post("/api/v1/users", json={})).status_code == 422
        refused = await http.post("/api/v1/users", json=ADA)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 3600 * 1.2


class TestAClosedHouse:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"registration": "closed"})

    async def test_refuses_strangers_but_not_its_admin(
        self, house: assembly.House, http: httpx2.AsyncClient, admin: Person
    ) -> None:
        refused = await http.post("/api/v1/users", json=ADA)
        assert (refused.status_code, refused.json()["code"]) == (403, "registration-closed")
        assert (await admin.post("/api/v1/admin/users", json=ADA)).status_code == 201
