"""Which language a page speaks, and how it writes words and numbers."""

import pytest

from retinue.web.pages import wording


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "tlh,xx;q=0.5", "en"),
        ("", ";;,,", "en"),
        ("", "tlh,es-AR;q=0.5,it", "es"),
        ("it", "es,en", "it"),
        ("en", "es", "en"),
        ("../../it", "ru-RU", "ru"),
    ],
)
def test_which_language(chosen: str, accepted: str, language: str) -> None:
    """What a person chose, else what the browser asks for, else English."""
    assert wording.language_of(chosen, accepted) == language


def test_only_words_of_the_list_are_terms() -> None:
    """What a person or a file named is shown as it is."""
    assert wording.term("it", "retired") == "ritirata"
    assert wording.term("it", "Save the contents") == "Save the contents"
    assert wording.term("en", "retired") == "retired"


def test_amounts_have_two_places_and_sizes_a_unit() -> None:
    assert [wording.credit_amount("en", value) for value in (0, 275, 123456789)] == ["0.00", "2.75", "1,234,567.89"]
    assert [wording.credit_amount(language, 1234550) for language in ("it", "ru")] == ["12.345,50", "12\xa0345,50"]
    assert [wording.size("en", value) for value in (0, 1023, 1536, 5 << 20, 3 << 40)] == [
        "0 bytes",
        "1,023 bytes",
        "2 KB",
        "5.0 MB",
        "3,072 GB",
    ]
