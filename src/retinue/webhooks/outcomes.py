"""What a try came to: told, told again later, or given up, and when an address is left alone for good."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

# Ten tries over three days (Standard Webhooks): a receiver may be away for a weekend.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
LONG = timedelta(hours=60)  # what all waits come to at least; an address that took nothing for so long is disabled
LONGEST_WISH = timedelta(days=1)
GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or the reason why none did."""

    status: int | None = None
    reason: str | None = None
    retry_after: timedelta = timedelta()

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def words(self) -> str | None:
        """For the log; None when all is well."""
        if self.status is None:
            return self.reason
        if 300 <= self.status < 400:
            return "The address redirects; redirects are not followed"
        return None if self.is_delivered else f"The address answered {self.status}"


@dataclass(frozen=True, slots=True)
class Delivered:
    pass


@dataclass(frozen=True, slots=True)
class Again:
    at: datetime


@dataclass(frozen=True, slots=True)
class GivenUp:
    """`disabled_because`: the address gets nothing more until its owner says so."""

    disabled_because: str | None = None


Outcome = Delivered | Again | GivenUp


def judge(answer: Answer, *, tries: int, failing_since: datetime, at: datetime) -> Outcome:
    """`tries` counts this one; `failing_since` is when this address began to fail, now perhaps."""
    if answer.is_delivered:
        return Delivered()
    if answer.status == GONE:
        return GivenUp("The address answered 410: it is gone for good")
    if tries <= len(WAITS):
        return Again(at + max(_jittered(WAITS[tries - 1]), min(answer.retry_after, LONGEST_WISH)))
    if at - failing_since >= LONG:
        return GivenUp(f"The address has taken nothing since {failing_since:%Y-%m-%d %H:%M} UTC")
    return GivenUp()


def _jittered(wait: timedelta) -> timedelta:
    """A receiver that comes back is not met by everything at once."""
    return wait * random.uniform(0.9, 1.1)  # noqa: S311 jitter, not a secret
