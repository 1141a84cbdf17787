"""Texts are ready for translators, and numbers read alike everywhere."""

from pathlib import Path

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

import retinue.web
from retinue.web.pages import wording

WEB = Path(retinue.web.__file__).parent


def test_every_kind_of_text_reaches_the_catalogue(tmp_path: Path) -> None:
    """One of a template, one of a script, one of Python."""
    file = tmp_path / "retinue.pot"
    options = ["-F", str(WEB / "locale" / "babel.cfg"), "-k", "t", "-k", "text", "-o", str(file), str(WEB)]
    CommandLineInterface().run(["pybabel", "-q", "extract", *options])
    with file.open("rb") as opened:
        found = {message.id for message in read_po(opened) if isinstance(message.id, str)}
    assert {"Skip to the content", "The server does not answer", "Coffee"} <= found
    assert len(found) > 400


@pytest.mark.parametrize(
    ("accepted", "language"), [("", "en"), ("en-GB,en;q=0.9", "en"), ("tlh,xx;q=0.5", "en"), (";;,,", "en")]
)
def test_the_browser_says_which_language(accepted: str, language: str) -> None:
    assert wording.language_of(accepted) == language


def test_amounts_have_two_places_and_sizes_a_unit() -> None:
    assert [wording.credit_amount(value) for value in (0, 275, 123456789)] == ["0.00", "2.75", "1,234,567.89"]
    assert [wording.size(value) for value in (0, 1023, 1536, 5 << 20, 3 << 40)] == [
        "0 bytes",
        "1,023 bytes",
        "2 KB",
        "5.0 MB",
        "3,072 GB",
    ]
