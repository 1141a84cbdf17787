"""Text that a database cannot hold is refused where it arrives."""

import pytest
from pydantic import BaseModel, ValidationError

from retinue.base.words import Name, Paragraph


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
