"""What is promised, and the tests that try it: `make torture` runs them and writes down what it saw."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    words: str
    tests: tuple[str, ...]


PROMISES = [
    Promise(
        "Credits are neither created nor lost",
        ("tests/credits/test_ledger_story.py", "tests/credits/test_many_at_once.py", "tests/credits/test_verifying.py"),
    ),
    Promise("A hold ends once", ("tests/credits/test_many_at_once.py::TestAHold", "tests/credits/test_ledger.py")),
    Promise(
        "Acknowledged work survives kill -9; what was not acknowledged leaves nothing",
        ("tests/jobs/test_chaos.py", "tests/jobs/test_killing.py", "tests/datasets/test_killing.py"),
    ),
    Promise(
        "A retried request has one effect",
        ("tests/predictions/test_durability.py", "tests/predictions/test_once.py", "tests/credits/test_idempotency.py"),
    ),
    Promise(
        "A dead or stuck worker loses nothing, and a picture that kills stops",
        ("tests/jobs/test_state_pairs.py", "tests/jobs/test_sharing.py", "tests/jobs/test_brokers.py"),
    ),
    Promise("A failing disk or store fails cleanly", ("tests/base/test_storage.py", "tests/base/test_database.py")),
    Promise("Webhooks arrive at least once, and can be verified", ("tests/webhooks",)),
    Promise(
        "No upload can crash, hang or bloat the service, at any door",
        ("tests/torture/test_every_door.py", "tests/vision/test_images.py", "tests/media/test_archives.py"),
    ),
    Promise(
        "A video reaches nothing but its own frames", ("tests/vision/test_video.py", "tests/vision/test_contained.py")
    ),
    Promise("No path leaves its folder", ("tests/base/test_paths.py", "tests/datasets/test_archives.py")),
    Promise("What we fetch is public", ("tests/base/test_fetching.py",)),
    Promise("A model file is data, not code", ("tests/vision/test_hostile_models.py", "tests/vision/test_intake.py")),
    Promise("Everybody reaches what is theirs, and nothing else", ("tests/web/test_access_matrix.py",)),
    Promise(
        "Forged, stale and stolen credentials open nothing",
        ("tests/accounts/test_forged_tokens.py", "tests/accounts/test_sessions.py", "tests/accounts/test_keys.py"),
    ),
    Promise("Accounts cannot be guessed, counted or locked by strangers", ("tests/accounts/test_guessing.py",)),
    Promise("A signed link opens one thing, for a while", ("tests/media/test_links.py",)),
    Promise("Pages cannot be driven by others", ("tests/web/pages/test_browser_sessions.py",)),
    Promise(
        "What the document allows is taken, what it forbids is refused, every answer is as it says",
        ("tests/torture/test_schemas.py", "tests/client/test_openapi.py"),
    ),
    Promise("Health tells the truth; refusals are problem documents", ("tests/web/test_doorway.py",)),
    Promise("Upgrades and downgrades keep data", ("tests/base/test_migrating.py",)),
    Promise("A backup comes back, on either database", ("tests/predictions/test_backing_up.py",)),
    Promise("Dangerous primitives have one place each", ("tests/test_house.py",)),
    Promise("The tests can fail", ("tests/torture/test_seeded_faults.py",)),
]
