"""How long things may take before somebody else steps in: all of it follows from the lease."""

from dataclasses import dataclass
from datetime import timedelta

from retinue.base.settings import Settings


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds. A crash costs at most a lease; a lost message what `sent_s` says."""

    lease_s: float = 30.0
    sent_s: float = 60.0
    most_tries: int = 3
    most_crashes: int = 3

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_s)

    @property
    def sent(self) -> timedelta:
        return timedelta(seconds=self.sent_s)

    @property
    def renew_s(self) -> float:
        return self.lease_s / 3

    @property
    def look_s(self) -> float:
        """How often a worker looks whether its chunks are still its own: an abort is noticed within a second."""
        return min(1.0, self.lease_s / 6)

    @property
    def heartbeat_s(self) -> float:
        return self.lease_s / 6

    @property
    def sweep_s(self) -> float:
        return min(1.0, self.lease_s / 6)

    def backoff(self, tries: int) -> timedelta:
        """5 s, then 25 s: a part that is away for half a minute costs no chunk."""
        return timedelta(seconds=self.lease_s / 6 * 5**tries)


def terms_of(settings: Settings) -> Terms:
    return Terms(lease_s=settings.job_lease_seconds, sent_s=settings.job_sent_seconds)
