"""Cursors: given back they continue the list; made up, altered or taken from another list they are refused."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.base.paging import BadCursor, cursor_of, values_of

ID = "0190b6a4-7c3e-7d1e-8f00-000000000001"


def test_a_cursor_gives_its_values_back() -> None:
    time = datetime(2026, 3, 1, 12, tzinfo=UTC)
    cursor = cursor_of(time, 7, "blue", ID, of="things")
    assert values_of(cursor, datetime, int, str, uuid.UUID, of="things") == (time, 7, "blue", ID)


def test_the_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(BadCursor):
        values_of(cursor_of(ID, of="things"), uuid.UUID, of="others")


def test_values_of_other_kinds_are_refused() -> None:
    with pytest.raises(BadCursor):
        values_of(cursor_of("not an id", of="things"), uuid.UUID, of="things")
    with pytest.raises(BadCursor):
        values_of(cursor_of(1, 2, of="things"), int, of="things")


@given(st.text(max_size=80))
def test_whatever_is_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        values_of(cursor, uuid.UUID, of="things")


@pytest.mark.parametrize("place", range(0, 60, 3))
def test_one_altered_character_is_refused(place: int) -> None:
    cursor = cursor_of(ID, of="things")
    altered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
    with pytest.raises(BadCursor):
        values_of(altered, uuid.UUID, of="things")
