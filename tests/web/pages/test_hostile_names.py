"""Whatever a person or a file is called, it shows as text: no name changes what a page is made of."""

from collections import Counter
from html.parser import HTMLParser
from typing import Any

import orjson

from retinue import assembly
from tests.web.pages.browsing import Browser
from tests.web.pages.hostile import PAYLOADS, Names
from tests.web.pages.screens import a_world

AT_ONCE = 6  # in one name; each round draws every page anew
NAMES = {
    "api_keys.name",
    "audit.facts",
    "credit_entries.description",
    "dataset_items.group",
    "dataset_items.name",
    "datasets.name",
    "datasets.tags",
    "loan_lines.comment",
    "loans.place",
    "loans.reason",
    "model_versions.manifest",
    "predictions.filename",
    "predictions.label",
    "predictions.result",
    "toolkits.description",
    "toolkits.name",
    "tools.category",
    "tools.label",
    "tools.name",
    "tools.serial_number",
    "users.name",
    "users.surname",
    "verdicts.comment",
    "verdicts.label",
}
# Addresses, model names (letters and digits) and numbers, but no words of anybody.
NAMELESS = {
    "/inpaint",
    "/webhooks",
    "/system",
    "/admin",
    "/admin/models",
    "/admin/models/{name}/versions",
    "/admin/models/{name}/disagreements",
    "/admin/settings",
    "/admin/storage",
}
PLACES = {"href", "src", "action", "formaction", "data-call", "data-then", "data-path", "data-more"}


class Anatomy(HTMLParser):
    """What a browser makes of a page: its elements with the names of their attributes, and every text in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.texts: list[str] = []
        self.places: list[str] = []
        self._in_json = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.texts += [value for name, value in attrs if value and name not in PLACES]
        self.places += [value for name, value in attrs if value and name in PLACES]
        self._in_json = ("type", "application/json") in attrs

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))
        self._in_json = False

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", data))

    def handle_data(self, data: str) -> None:
        self.texts += list(strings_of(orjson.loads(data))) if self._in_json else [data]

    def count(self, name: str) -> int:
        return sum(text.count(name) for text in self.texts)


def strings_of(value: Any) -> Any:
    """Every text of a JSON document, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inside in value.items():
            yield from (key, *strings_of(inside))
    elif isinstance(value, list):
        for inside in value:
            yield from strings_of(inside)


async def test_no_name_changes_what_a_page_is_made_of(house: assembly.House, admin: Browser) -> None:
    """The same elements with the same attributes as under another name, and the name as often in its texts."""
    addresses = await a_world(house, admin)
    names = Names(house.database)
    assert names.columns >= NAMES

    async def drawn(name: str) -> dict[str, Anatomy]:
        names.become(name)
        return {
            path: Anatomy((await admin.get(address)).text)
            for path, address in addresses.items()
            if path not in NAMELESS
        }

    plain = await drawn("a plain name")
    shows = {path: page.count("a plain name") for path, page in plain.items()}
    assert [path for path, times in shows.items() if times == 0] == []
    for first in range(0, len(PAYLOADS), AT_ONCE):
        name = " ".join(PAYLOADS[first : first + AT_ONCE])
        for path, page in (await drawn(name)).items():
            assert page.elements == plain[path].elements, (path, name)
            assert page.count(name) == shows[path], (path, name)
            assert Counter(page.places) == Counter(plain[path].places), (path, name)


def test_the_payloads_are_many_and_each_is_another() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 30
