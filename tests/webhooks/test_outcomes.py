"""When a message is sent again, given up, and when an address is left alone: decided without sending anything."""

from datetime import UTC, datetime, timedelta

import pytest

from retinue.webhooks.outcomes import WAITS, Again, Answer, Delivered, GivenUp, judge

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def judged(answer: Answer, *, tries: int = 1, failing_for: timedelta = timedelta()) -> object:
    return judge(answer, tries=tries, failing_since=NOW - failing_for, at=NOW)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_delivered(status: int) -> None:
    assert judged(Answer(status), tries=10) == Delivered()


@pytest.mark.parametrize("answer", [Answer(302), Answer(404), Answer(500), Answer(reason="nobody there")])
def test_everything_else_is_tried_ten_times_over_three_days(answer: Answer) -> None:
    at, tries = NOW, 1
    while isinstance(outcome := judge(answer, tries=tries, failing_since=NOW, at=at), Again):
        assert outcome.at > at
        at, tries = outcome.at, tries + 1
    assert tries == 10 == len(WAITS) + 1
    assert timedelta(days=2.8) < at - NOW < timedelta(days=3.6)
    assert isinstance(outcome, GivenUp)
    assert "has taken nothing since 2026-03-01" in (outcome.disabled_because or "")


def test_an_address_that_took_something_lately_stays_enabled() -> None:
    assert judged(Answer(500), tries=10, failing_for=timedelta(hours=20)) == GivenUp()


def test_an_address_that_is_gone_is_left_alone_at_once() -> None:
    outcome = judged(Answer(410))
    assert isinstance(outcome, GivenUp)
    assert outcome.disabled_because


def test_a_receiver_may_ask_for_patience_but_not_for_ever() -> None:
    an_hour, a_year = (judged(Answer(429, retry_after=timedelta(days=days))) for days in (1 / 24, 365))
    assert isinstance(an_hour, Again)
    assert isinstance(a_year, Again)
    assert (an_hour.at - NOW, a_year.at - NOW) == (timedelta(hours=1), timedelta(days=1))
