"""Whether a request that got no good answer is sent again, and when: never what might count twice."""

import random
from dataclasses import dataclass

from retinue.client.asking import Request
from retinue.client.errors import Problem, RetinueError, StillRunning, TooMany, Unreachable

PASSING = frozenset({408, 425, 429, 502, 503, 504})
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0


@dataclass(frozen=True, slots=True)
class Tries:
    """How much is put up with: tries in all, and the longest Retry-After that is waited for."""

    most: int = 5
    longest_wait_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Again:
    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    pass


def next_try(request: Request, failure: RetinueError, *, tried: int, tries: Tries) -> Again | GiveUp:
    """A refusal for the moment (429) and a line that never stood are safe to try again, whatever was asked."""
    if tried >= tries.most or not _is_passing(failure):
        return GiveUp()
    nothing_happened = isinstance(failure, TooMany) or (isinstance(failure, Unreachable) and not failure.was_sent)
    if not (request.may_repeat or nothing_happened):
        return GiveUp()
    told = failure.retry_after_s if isinstance(failure, Problem) else None
    if told is None:
        return Again(_pause_s(tried))
    return GiveUp() if told > tries.longest_wait_s else Again(told * random.uniform(1.0, 1.25))  # noqa: S311 jitter


def _is_passing(failure: RetinueError) -> bool:
    if isinstance(failure, Problem):
        return failure.status in PASSING or isinstance(failure, StillRunning)
    return isinstance(failure, Unreachable)


def _pause_s(tried: int) -> float:
    """Full jitter: a crowd that was turned away together does not come back together."""
    return random.uniform(0.05, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**tried))  # noqa: S311 jitter
