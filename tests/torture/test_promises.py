"""Every promise has tests that exist, and a line in the page that `make torture` writes."""

from tests.torture.promises import PROMISES
from tests.torture.reliability import CHECKOUT, PAGE, Outcome, page
from tests.torture.report import Figure

NUMBERS = [f"P{number}" for number in range(1, 32)]


def test_no_promise_is_forgotten() -> None:
    assert [promise.number for promise in PROMISES] == NUMBERS


def test_every_promise_names_tests_that_exist() -> None:
    for test in (test for promise in PROMISES for test in promise.tests):
        file, *names = test.split("::")
        assert (CHECKOUT / file).exists(), test
        for name in names:
            assert f" {name}(" in (told := (CHECKOUT / file).read_text("utf-8")) or f"class {name}:" in told, test


def test_the_page_has_a_line_for_each() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    for promise in PROMISES:
        assert any(line.startswith(f"| {promise.number} | {promise.words} |") for line in lines), promise.number


def test_a_run_in_parts_says_what_it_did_not_try() -> None:
    seen = page({"P2": Outcome("P2", 9, 1, 0, 3.0, "a day")}, [Figure("what", "tried", "seen")], conditions="Crowded.")
    assert "Of 31 promises 0 were kept, 1 broken and 30 not tried, in 9 cases" in seen
    assert "Crowded." in seen
    assert "| P1 | Credits are neither created nor lost |" in seen
    assert seen.count("not tried in this run") == 30
    assert "| what | tried | seen |" in seen
