"""How often a version is right, as far as people said so, and how sure that is after so few of them."""

from dataclasses import dataclass
from math import sqrt

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.feedback.tables import Verdict

Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Counted in pictures: the same one judged again is not another proof."""

    right: int
    judged: int

    @property
    def share(self) -> float | None:
        return round(self.right / self.judged, 6) if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's, 95 %: it stays within 0 and 1 and is honest where there are few, or all are right."""
        if not self.judged:
            return None
        n, share = self.judged, self.right / self.judged
        middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
        reach = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
        return round(max(0.0, middle - reach), 6), round(min(1.0, middle + reach), 6)


def accuracy_of(now: Transaction, version_id: str) -> Accuracy:
    """From what was said of the version's own answers; of several verdicts on a picture the latest counts."""
    latest_first = (Verdict.updated_at.desc(), Verdict.id.desc())
    place = sa.func.row_number().over(partition_by=Verdict.picture_sha256, order_by=latest_first)
    judged = sa.select(Verdict.correct, place.label("place")).where(Verdict.version_id == version_id).subquery()
    right = sa.func.coalesce(sa.func.sum(sa.case((judged.c.correct, 1), else_=0)), 0)
    counted = now.execute(
        sa.select(right.label("right"), sa.func.count().label("judged")).where(judged.c.place == 1)
    ).one()
    return Accuracy(counted.right, counted.judged)
