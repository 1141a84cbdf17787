"""A signed link opens one thing, for a while."""

import base64
from collections.abc import Callable

import pytest

from retinue import assembly
from retinue.base.clock import SetClock
from tests.accounts.people import Person
from tests.pictures import drawn
from tests.predictions.asking import predict

PREFIX = "/api/v1/media/"


@pytest.fixture
async def link(ada: Person) -> str:
    answer = await predict(ada, drawn(1))
    url: str = (await ada.get(f"/api/v1/images/{answer['image_id']}")).json()["url"]
    return url


def meaning_of(link: str) -> list[str]:
    text = link.removeprefix(PREFIX).split(".")[0]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("|")


def altered(link: str, place: int, value: str) -> str:
    meaning = meaning_of(link)
    meaning[place] = value
    return forged(link, "|".join(meaning))


def forged(link: str, meaning: str) -> str:
    text = base64.urlsafe_b64encode(meaning.encode()).rstrip(b"=").decode()
    return f"{PREFIX}{text}.{link.rsplit('.', maxsplit=1)[-1]}"


FORGERIES: dict[str, Callable[[str], str]] = {
    "other version": lambda link: altered(link, 0, "v2"),
    "other purpose": lambda link: altered(link, 1, "session"),
    "other method": lambda link: altered(link, 2, "PUT"),
    "other asset": lambda link: altered(link, 3, "01a1f86e-a9ee-7fd5-976e-6a51df5b28bc"),
    "other disposition": lambda link: altered(link, 4, "attachment"),
    "other owner": lambda link: altered(link, 5, "01a1f86e-a9ee-7fd5-976e-6a51df5b28bc"),
    "other generation": lambda link: altered(link, 6, "1"),
    "later end": lambda link: altered(link, 7, "99999999999"),
    "end as text": lambda link: altered(link, 7, "never"),
    "negative end": lambda link: altered(link, 7, "-1"),
    "other key": lambda link: altered(link, 8, "k0"),
    "a field more": lambda link: forged(link, "|".join([*meaning_of(link), "admin"])),
    "a field less": lambda link: forged(link, "|".join(meaning_of(link)[:-1])),
    "fields exchanged": lambda link: forged(link, "|".join(reversed(meaning_of(link)))),
    "nothing meant": lambda link: forged(link, ""),
    "no signature": lambda link: link.split(".")[0],
    "empty signature": lambda link: link.split(".")[0] + ".",
    "cut signature": lambda link: link[:-2],
    "longer signature": lambda link: link + "AA",
    "signature with padding": lambda link: link + "=",
    "other last letter": lambda link: link[:-1] + ("A" if link[-1] != "A" else "B"),
    "upper case": lambda link: PREFIX + link.removeprefix(PREFIX).upper(),
    "a dot more": lambda link: link + ".",
    "another alphabet": lambda link: PREFIX + "ä" + link.removeprefix(PREFIX)[1:],
    "hardly anything": lambda link: PREFIX + "a.b",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_link_opens_nothing(ada: Person, link: str, forge: Callable[[str], str]) -> None:
    answer = await ada.http.get(forge(link))
    assert (answer.status_code, answer.json()["code"]) == (403, "link-refused")


async def test_it_opens_without_signing_in(ada: Person, link: str) -> None:
    answer = await ada.http.get(link)
    assert (answer.status_code, answer.content) == (200, drawn(1))
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-site"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"].startswith("private, max-age=")


async def test_it_expires(ada: Person, link: str, clock: SetClock) -> None:
    clock.advance(minutes=9)
    assert (await ada.http.get(link)).status_code == 200
    clock.advance(minutes=1)
    assert (await ada.http.get(link)).json()["code"] == "link-expired"


async def test_it_dies_with_its_picture(ada: Person, link: str) -> None:
    told = (await ada.get("/api/v1/predictions")).json()["predictions"][0]
    await ada.delete(f"/api/v1/predictions/{told['prediction_id']}")
    assert (await ada.http.get(link)).status_code == 410


async def test_it_dies_with_its_owner(ada: Person, admin: Person, link: str) -> None:
    await admin.patch(f"/api/v1/admin/users/{ada.user.id}", json={"active": False})
    assert (await ada.http.get(link)).status_code == 403


async def test_a_head_tells_without_sending(ada: Person, link: str) -> None:
    answer = await ada.http.head(link)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(drawn(1))


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "wanted"),
        [("bytes=0-9", slice(0, 10)), ("bytes=100-", slice(100, None)), ("bytes=-7", slice(-7, None))],
    )
    async def test_one_range_is_served(self, ada: Person, link: str, asked: str, wanted: slice) -> None:
        answer = await ada.http.get(link, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, drawn(1)[wanted])

    @pytest.mark.parametrize(
        "asked",
        ["bytes=999999-", "bytes=5-2", "bytes=-", "lines=1-2", ",".join(f"bytes={n}-{n}" for n in range(10_000))],
        ids=["beyond", "backwards", "empty", "unit", "ten thousand"],
    )
    async def test_other_ranges_are_refused(self, ada: Person, link: str, asked: str) -> None:
        assert (await ada.http.get(link, headers={"Range": asked})).status_code == 416

    async def test_what_a_browser_has_is_not_sent_again(self, ada: Person, link: str) -> None:
        etag = (await ada.http.get(link)).headers["etag"]
        assert (await ada.http.get(link, headers={"If-None-Match": etag})).status_code == 304


async def test_names_survive_headers(ada: Person, house: assembly.House) -> None:
    answer = await predict(ada, drawn(2), name='dé\r\nX-Evil: 1"; \u202egnp.jpg')
    url = (await ada.get(f"/api/v1/images/{answer['image_id']}")).json()["url"]
    told = (await ada.http.get(url)).headers
    assert "x-evil" not in told
    assert told["content-disposition"].startswith('inline; filename="d')
