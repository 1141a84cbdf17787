"""Text that a database cannot hold is refused where it arrives."""

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from retinue.base.words import Moment, Name, Paragraph, ZonedMoment


class Note(BaseModel):
    title: Name
    text: Paragraph = ""


@pytest.mark.parametrize("title", ["", "   ", "a\x00b", "a\nb", "\x1b[31mred", "\ud800", "x" * 101, "a\u2028b"])
def test_no_such_title(title: str) -> None:
    with pytest.raises(ValidationError):
        Note(title=title)


@pytest.mark.parametrize("title", ["Ada", "Ελένη", "名前", "O'Brien 🛠", "x" * 100])
def test_titles_of_all_people(title: str) -> None:
    assert Note(title=f" {title} ").title == title


def test_a_paragraph_may_have_lines_but_no_nul() -> None:
    assert Note(title="a", text="one\ntwo").text == "one\ntwo"
    with pytest.raises(ValidationError):
        Note(title="a", text="\x00")


@pytest.mark.parametrize("told", ["0.5", "1767225600", "-1", "1e9", 1767225600, 0.5, True])
def test_a_number_is_no_time(told: object) -> None:
    for kind in (Moment, ZonedMoment):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(told)


def test_a_time_without_a_zone_is_one_in_utc_but_not_where_it_is_to_come() -> None:
    assert TypeAdapter(Moment).validate_python("2026-11-20T08:00:00").isoformat() == "2026-11-20T08:00:00+00:00"
    with pytest.raises(ValidationError):
        TypeAdapter(ZonedMoment).validate_python("2026-11-20T08:00:00")
