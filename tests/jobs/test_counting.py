"""What /metrics says about jobs: how many there are of each status, nothing made up."""

import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.jobs.counting import jobs_by_status
from retinue.jobs.tables import Job
from tests.credits.people import a_user
from tests.jobs.works import a_job


def test_jobs_are_counted_in_the_words_of_the_api(database: Database) -> None:
    def write(now: Transaction) -> None:
        user = a_user(now, 1_000_000)
        for state in ("planning", "ready", "running", "aborting", "aborted", "done"):
            a_job(now, user, state=state)
        fine = a_job(now, user, state="done")
        now.execute(sa.update(Job).where(Job.id == fine).values(done=3))

    database.write_now(write)
    counted = database.read_now(jobs_by_status)
    assert counted == {"PENDING": 2, "RUNNING": 2, "COMPLETED": 1, "FAILED": 1, "ABORTED": 1}


async def test_an_empty_house_tells_every_status(http) -> None:
    text = (await http.get("/metrics")).text
    assert [f'retinue_jobs{{status="{status}"}} 0.0' in text for status in ("PENDING", "RUNNING", "ABORTED")] == [
        True
    ] * 3
