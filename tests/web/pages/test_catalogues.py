"""Every text of the pages stands in every catalogue, says the same things, and nothing else stands there."""

import re
from collections.abc import Iterable
from pathlib import Path

import httpx2
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

import retinue.web
from retinue.web.pages import wording
from tests.web.pages.browsing import LIGHT_BYTES, SAME, Browser, weight_of

WEB = Path(retinue.web.__file__).parent
OTHERS = [language for language in wording.languages() if language != wording.ENGLISH]
HOLE = re.compile(r"%\(\w+\)s|%%|{\w+}")
# The same marks as the extractor's, found without its parser: that one overlooks what stands inside `${…}` with braces.
MARKED = {"*.js": re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"'), "*.html": re.compile(r"\b_\('((?:[^'\\]|\\.)*)'")}


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    file = tmp_path_factory.mktemp("texts") / "texts.pot"
    options = ["-F", str(WEB / "locale" / "babel.cfg"), "-k", "t", "-k", "text", "-o", str(file), str(WEB)]
    CommandLineInterface().run(["pybabel", "-q", "extract", *options])
    with file.open("rb") as opened:
        return read_po(opened)


def texts(catalogue: Catalog) -> dict[str | tuple[str, ...], Message]:
    """By what identifies each: its English, or its English for one and for many."""
    return {one.id if isinstance(one.id, str) else tuple(one.id): one for one in catalogue if one.id}


def said(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def is_of_a_script(message: Message) -> bool:
    return any("/static/" in place for place, _ in message.locations)


def test_no_mark_is_overlooked(marked: Catalog) -> None:
    found = {one if isinstance(one, str) else one[0] for one in texts(marked)}
    for kind, mark in MARKED.items():
        for file in WEB.rglob(kind):
            standing = {re.sub(r"\\(.)", r"\1", words) for words in mark.findall(file.read_text())}
            assert standing - found == set(), file.name


def test_four_languages_are_spoken() -> None:
    assert dict(wording.languages()) == {"en": "English", "es": "Español", "it": "Italiano", "ru": "Русский"}


@pytest.mark.parametrize("language", OTHERS)
class TestACatalogue:
    def test_has_every_text_and_no_other(self, marked: Catalog, language: str) -> None:
        """`make texts` brings it up to date; what it then leaves empty is to be translated."""
        wanted, has = texts(marked), texts(wording.catalogue(language))
        assert [words for words in wanted if words not in has or not all(said(has[words]))] == []
        assert [words for words in has if words not in wanted] == []
        assert [words for words, one in has.items() if one.fuzzy] == []

    def test_fills_the_same_holes(self, marked: Catalog, language: str) -> None:
        """A hole that is lost loses a fact, one that is new breaks the page, and so does a lone per cent sign."""
        has = texts(wording.catalogue(language))
        for words, message in has.items():
            english = words if isinstance(words, str) else words[-1]
            for one in said(message):
                assert sorted(HOLE.findall(one)) == sorted(HOLE.findall(english)), one
                if not is_of_a_script(message):
                    assert one % holes_of(one) is not None
                    assert not set('<>&"') & set(one), "templates take what translators wrote as it is"

    def test_has_a_form_for_every_number(self, language: str) -> None:
        catalogue = wording.catalogue(language)
        forms = {words: said(one) for words, one in texts(catalogue).items() if not isinstance(words, str)}
        assert forms
        assert {words: len(each) for words, each in forms.items()} == dict.fromkeys(forms, catalogue.num_plurals)

    def test_knows_which_texts_scripts_say(self, marked: Catalog, language: str) -> None:
        of_scripts = {one.id: 0 for one in texts(marked).values() if is_of_a_script(one)}
        assert set(wording.script_words(language)) == set(of_scripts)


def holes_of(words: str) -> dict[str, str]:
    return dict.fromkeys(re.findall(r"%\((\w+)\)s", words), "x")


def speaks(page: httpx2.Response) -> str:
    found = re.search(r'<html lang="(\w+)">', page.text)
    assert found is not None
    return found[1]


class TestAPage:
    async def test_speaks_as_the_browser_asks(self, ada: Browser) -> None:
        shown = await ada.get("/", headers={"Accept-Language": "it-IT,it;q=0.9,en;q=0.5"})
        assert speaks(shown) == "it"
        assert "Scegli un'immagine" in shown.text
        assert '"Decode": "Decodifica"' in shown.text  # what its scripts say
        assert speaks(await ada.get("/", headers={"Accept-Language": "tlh"})) == "en"

    async def test_speaks_as_a_person_chose(self, admin: Browser, http: httpx2.AsyncClient) -> None:
        """Before signing in too; a language that nobody speaks here changes nothing."""
        told = await http.post("/language", data={"language": "es", "next": "/login?next=/jobs"}, headers=SAME)
        assert (told.status_code, told.headers["location"]) == (303, "/login?next=/jobs")
        kept = {"Cookie": told.headers["set-cookie"].split(";")[0], "Accept-Language": "it"}
        assert speaks(await http.get("/login", headers=kept)) == "es"
        nobody = await http.post("/language", data={"language": "../es"}, headers=SAME)
        assert "set-cookie" not in nobody.headers
        away = await http.post("/language", data={"language": "es", "next": "//evil.example"}, headers=SAME)
        assert away.headers["location"] == "/"

    @pytest.mark.parametrize("sender", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}])
    async def test_speaks_as_no_other_site_chose(self, http: httpx2.AsyncClient, sender: dict[str, str]) -> None:
        told = await http.post("/language", data={"language": "es"}, headers=sender)
        assert (told.status_code, "set-cookie" in told.headers) == (403, False)

    async def test_says_numbers_and_states_in_its_language(self, admin: Browser) -> None:
        shown = await admin.get("/admin/models", headers={"Accept-Language": "ru"})
        assert "классификация" in shown.text
        assert re.search(r">\d+,\d\d<", shown.text)

    @pytest.mark.parametrize("path", ["/", "/inpaint", "/jobs/new", "/admin"])
    async def test_is_light_in_the_longest_language(self, admin: Browser, path: str) -> None:
        shown = await admin.get(path, headers={"Accept-Language": "ru"})
        assert await weight_of(admin.http, shown.text) + _more_bytes(shown.text) < LIGHT_BYTES

    async def test_an_address_that_is_nothing(self, http: httpx2.AsyncClient) -> None:
        shown = await http.get("/nothing", headers={"Accept": "text/html", "Accept-Language": "it"})
        assert (shown.status_code, "Questa pagina non esiste" in shown.text) == (404, True)


def _more_bytes(words: Iterable[str]) -> int:
    """What letters beyond ASCII take more than one each."""
    return sum(len(one.encode()) - 1 for one in words)
