"""Whether jobs, their chunks, results and charges agree: J1–J6, asked by `retinue doctor` and the admin's verify.

J1 a charge ⇔ a done chunk · J2 at most one charge per chunk (a unique index) · J3 a final job's hold is charged or
released · J4 a job's hold is open exactly while it is · J5 every item of a done chunk has its result and its
prediction · J6 a job's sums are those of its chunks.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.credits.verifying import AT_MOST, Violation


def verify_jobs(now: Transaction) -> Iterator[Violation]:
    for check in (charges_match_chunks, holds_match_jobs, results_match_chunks, sums_match_chunks):
        yield from check(now)


def charges_match_chunks(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        "SELECT c.job_id, c.number FROM job_chunks c JOIN jobs j ON j.id = c.job_id LEFT JOIN credit_entries e"
        " ON e.hold_id = j.hold_id AND e.kind = 'charge' AND e.part = CAST(c.number AS TEXT)"
        " WHERE c.state = 'done' AND (e.id IS NULL OR e.amount <> (c.done - c.frames_done) * j.price"
        " + c.frames_done * j.frame_price)",
    ):
        yield Violation("J1", row.job_id, f"Chunk {row.number} is done and not charged for what it did")
    for row in _rows(
        now,
        "SELECT j.id, e.part FROM credit_entries e JOIN jobs j ON j.hold_id = e.hold_id LEFT JOIN job_chunks c"
        " ON c.job_id = j.id AND CAST(c.number AS TEXT) = e.part AND c.state = 'done'"
        " WHERE e.kind = 'charge' AND c.number IS NULL",
    ):
        yield Violation("J1", row.id, f"Chunk {row.part} is charged and not done")


def holds_match_jobs(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        "SELECT j.id, j.state, o.id AS open FROM jobs j LEFT JOIN credit_open_holds o ON o.id = j.hold_id"
        " WHERE (j.state IN ('done', 'aborted')) <> (o.id IS NULL)",
    ):
        rule, words = (
            ("J4", "This job is open and its hold is not")
            if row.open is None
            else ("J3", "This job has ended and its hold is open")
        )
        yield Violation(rule, row.id, words)
    for row in _rows(
        now,
        "SELECT j.id FROM jobs j JOIN credit_entries e ON e.hold_id = j.hold_id AND e.kind IN ('charge', 'release')"
        " WHERE j.state IN ('done', 'aborted') GROUP BY j.id, j.held HAVING SUM(e.amount) <> j.held",
    ):
        yield Violation("J3", row.id, "What was charged and released is not what was held")


def results_match_chunks(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        "SELECT c.job_id, c.number, c.done, c.failed, COUNT(p.id) AS predicted, COUNT(r.position) AS told"
        " FROM job_chunks c LEFT JOIN job_results r ON r.job_id = c.job_id AND r.chunk = c.number"
        " LEFT JOIN predictions p ON p.id = r.prediction_id WHERE c.state = 'done'"
        " GROUP BY c.job_id, c.number, c.done, c.failed"
        " HAVING COUNT(p.id) <> c.done OR COUNT(r.position) <> c.done + c.failed",
    ):
        words = f"Chunk {row.number} did {row.done}; {row.predicted} predictions and {row.told} results are there"
        yield Violation("J5", row.job_id, words)
    for row in _rows(
        now,
        "SELECT r.job_id, r.position FROM job_results r LEFT JOIN job_chunks c ON c.job_id = r.job_id"
        " AND c.number = r.chunk WHERE c.state IS NULL OR c.state NOT IN ('done', 'failed')",
    ):
        yield Violation("J5", row.job_id, f"Item {row.position} has a result of a chunk that has none")


def sums_match_chunks(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        "SELECT j.id, j.done, j.failed, COALESCE(SUM(c.done), 0) AS chunks_done, COALESCE(SUM(c.failed), 0) AS"
        " chunks_failed FROM jobs j LEFT JOIN job_chunks c ON c.job_id = j.id GROUP BY j.id, j.done, j.failed"
        " HAVING j.done <> COALESCE(SUM(c.done), 0) OR j.failed <> COALESCE(SUM(c.failed), 0)",
    ):
        words = f"The job tells {row.done} + {row.failed}, its chunks {row.chunks_done} + {row.chunks_failed}"
        yield Violation("J6", row.id, words)


def _rows(now: Transaction, statement: str) -> Sequence[sa.Row[Any]]:
    return now.rows(sa.text(f"{statement} LIMIT {AT_MOST}"))
