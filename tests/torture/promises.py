"""What is promised, and the tests that try it: `make torture` runs them and writes down what it saw."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """`number`: what people call it by; figures that its tests note carry it too."""

    number: str
    words: str
    tests: tuple[str, ...]


PROMISES = [
    Promise(
        "P1",
        "Credits are neither created nor lost",
        ("tests/credits/test_ledger_story.py", "tests/credits/test_many_at_once.py", "tests/credits/test_verifying.py"),
    ),
    Promise(
        "P2", "A hold ends once", ("tests/credits/test_many_at_once.py::TestAHold", "tests/credits/test_ledger.py")
    ),
    Promise(
        "P3",
        "Acknowledged work survives kill -9; what was not acknowledged leaves nothing",
        ("tests/jobs/test_chaos.py", "tests/jobs/test_killing.py", "tests/datasets/test_killing.py"),
    ),
    Promise(
        "P4",
        "A retried request has one effect",
        (
            "tests/predictions/test_durability.py::TestCutConnections",
            "tests/predictions/test_once.py",
            "tests/credits/test_idempotency.py",
        ),
    ),
    Promise(
        "P5",
        "Every crash window is known and tried",
        ("tests/predictions/test_durability.py::TestKilled", "tests/jobs/test_killing.py::test_killed_at_each_step"),
    ),
    Promise(
        "P6",
        "A full disk, failing storage and a lost connection fail cleanly",
        ("tests/torture/test_failing_parts.py", "tests/base/test_storage.py", "tests/base/test_database.py"),
    ),
    Promise(
        "P7",
        "A dead or stuck worker loses nothing, and a picture that kills stops",
        ("tests/jobs/test_state_pairs.py", "tests/jobs/test_sharing.py", "tests/jobs/test_brokers.py"),
    ),
    Promise("P8", "Webhooks arrive at least once, and can be verified", ("tests/webhooks",)),
    Promise(
        "P9",
        "No upload can crash, hang or bloat the service, at any door; a video reaches nothing but its own frames",
        (
            "tests/torture/test_every_door.py",
            "tests/vision/test_images.py",
            "tests/vision/test_video.py",
            "tests/vision/test_contained.py",
            "tests/media/test_archives.py",
            "tests/base/test_memory.py",
        ),
    ),
    Promise("P10", "No path leaves its folder", ("tests/base/test_paths.py", "tests/datasets/test_archives.py")),
    Promise("P11", "What we fetch is public", ("tests/base/test_fetching.py",)),
    Promise(
        "P12",
        "A model file is data, not code",
        ("tests/vision/test_hostile_models.py", "tests/vision/test_intake.py"),
    ),
    Promise(
        "P13",
        "What the document allows is taken, what it forbids is refused, every answer is as it says",
        ("tests/torture/test_schemas.py", "tests/client/test_openapi.py"),
    ),
    Promise(
        "P14",
        "The framework's own parsers do not fall over",
        ("tests/web/test_doorway.py", "tests/web/test_heads.py"),
    ),
    Promise("P15", "Everybody reaches what is theirs, and nothing else", ("tests/web/test_access_matrix.py",)),
    Promise(
        "P16",
        "Forged and stale credentials open nothing",
        ("tests/accounts/test_forged_tokens.py", "tests/accounts/test_keys.py"),
    ),
    Promise("P17", "Stolen refresh tokens are noticed", ("tests/accounts/test_sessions.py",)),
    Promise(
        "P18",
        "Accounts cannot be guessed, counted or locked by strangers",
        ("tests/accounts/test_guessing.py", "tests/accounts/test_registering.py"),
    ),
    Promise("P19", "A signed link opens one thing, for a while", ("tests/media/test_links.py",)),
    Promise(
        "P20",
        "Pages cannot be driven or scripted by others",
        ("tests/web/pages/test_browser_sessions.py", "tests/web/pages/test_every_page.py"),
    ),
    Promise("P21", "No secret leaves", ("tests/torture/test_secrets.py",)),
    Promise(
        "P22",
        "Pictures are seen upright, and what is made from them does not tell their places",
        ("tests/vision/test_images.py", "tests/media/test_cropping.py", "tests/predictions/test_predict.py"),
    ),
    Promise(
        "P23",
        "Overload makes some requests fail fast, not all slow",
        ("tests/torture/test_crowds.py::test_what_is_too_much_is_refused_properly_and_for_nothing",),
    ),
    Promise(
        "P24",
        "One person cannot starve the others",
        (
            "tests/torture/test_crowds.py::test_a_flood_of_one_person_starves_nobody",
            "tests/vision/test_batching.py::TestTurns",
            "tests/predictions/test_memory.py",
        ),
    ),
    Promise(
        "P25",
        "Slow clients cost little",
        ("tests/torture/test_crowds.py::test_slow_clients_cost_nobody_else", "tests/web/test_heads.py"),
    ),
    Promise("P26", "A restart loses nothing", ("tests/torture/test_restarts.py",)),
    Promise("P27", "Health tells the truth", ("tests/web/test_doorway.py",)),
    Promise(
        "P28",
        "Upgrades and downgrades keep data",
        ("tests/base/test_migrating.py", "tests/accounts/test_migrating.py"),
    ),
    Promise(
        "P29",
        "A backup comes back, on either database, also one taken under load",
        ("tests/predictions/test_backing_up.py", "tests/torture/test_backups_under_load.py"),
    ),
    Promise("P30", "Dangerous primitives have one place each", ("tests/test_house.py",)),
    Promise("P31", "Nothing listens but what settings name", ("tests/torture/test_ports.py",)),
]
