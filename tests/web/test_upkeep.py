"""What an admin sees who keeps the house."""

import httpx2

from retinue import assembly
from tests.accounts.people import add_person
from tests.pictures import drawn
from tests.predictions.asking import predict


async def test_settings_are_shown_with_their_origin_and_secrets_masked(
    house: assembly.House, http: httpx2.AsyncClient
) -> None:
    ann = add_person(house, http, "ann@example.com", role="admin")
    shown = {one["name"]: one for one in (await ann.get("/api/v1/admin/settings")).json()}
    assert shown["RETINUE_PORT"]["value"] == "8000"
    assert shown["RETINUE_PORT"]["origin"] == "default"
    assert all(one["words"] for one in shown.values())


async def test_storage_tells_what_is_kept_and_for_whom(house: assembly.House, http: httpx2.AsyncClient) -> None:
    ann = add_person(house, http, "ann@example.com", role="admin")
    picture = drawn(1)
    await predict(ann, picture)
    await ann.post("/api/v1/datasets", json={"name": "parts"})
    await ann.post("/api/v1/datasets/parts/items", files={"file": ("one.jpg", drawn(2))})
    told = (await ann.get("/api/v1/admin/storage")).json()
    kinds = {one["kind"]: one for one in told["kinds"]}
    assert (told["store"], told["free_bytes"] > 0) == ("folder", True)
    assert (kinds["original"]["files"], kinds["original"]["size_bytes"]) == (1, len(picture))
    assert kinds["item"]["files"] == 1
    assert [(one["email"], one["files"]) for one in told["people"]] == [("ann@example.com", 1)]
