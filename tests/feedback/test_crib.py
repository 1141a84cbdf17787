"""What a clerk says of a kit's picture counts for the version that looked at it."""

import pytest

from tests.accounts.people import Person
from tests.toolkits.asking import first_kit
from tests.toolkits.conftest import olga
from tests.toolkits.scenes import bench

__all__ = ["olga"]
STATS = "/api/v1/models/toolbox/versions/1/stats"


@pytest.mark.slow
async def test_a_corrected_verdict_on_a_returned_kit_lands_in_the_accuracy_of_its_version(
    olga: Person, admin: Person
) -> None:
    kit = await first_kit(olga)
    way = f"/api/v1/toolkits/{kit['id']}"
    issued = await olga.post(f"{way}/issue", files={"picture": bench()}, data={"signed_by": "Olga"})
    back = await olga.post(f"{way}/return", files={"picture": bench(10)}, data={"reason": "one is on the aircraft"})
    assert (issued.json()["status"], back.json()["status"]) == ("complete", "incomplete")
    assert (await admin.get(STATS)).json()["judged"] == 0

    for loan, correct in ((issued, True), (back, True)):
        path = f"/api/v1/predictions/{loan.json()['prediction_id']}/feedback"
        assert (await olga.post(path, json={"correct": correct})).status_code == 201
    told = (await admin.get(STATS)).json()
    assert (told["judged"], told["right"], told["accuracy"]) == (2, 2, 1.0)

    seen = back.json()
    corrected = {"correct": False, "boxes": [{"label": "pliers", "box": [10, 10, 50, 50]}], "comment": "and these"}
    again = await olga.post(f"/api/v1/predictions/{seen['prediction_id']}/feedback", json=corrected)
    assert again.status_code == 200
    told = (await admin.get(STATS)).json()
    assert (told["judged"], told["right"], told["accuracy"]) == (2, 1, 0.5)
    assert told["accuracy_low"] < 0.5 < told["accuracy_high"]
