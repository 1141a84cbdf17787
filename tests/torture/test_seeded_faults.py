"""The tests can fail: every fault has its place in the sources, and a handful of them is caught here."""

import pytest

from tests.torture.faults import FAULTS, Fault
from tests.torture.seeded_faults import SOURCES, copied_sources, try_out

HANDFUL = [
    "a token that says alg=none needs no signature",
    "the floor of an account is gone",
    "the fence around a chunk is gone",
    "entries of an archive may swell",
    "a redirect is followed",
]


def test_every_fault_has_its_place_and_its_test_a_file() -> None:
    assert len(FAULTS) >= 20
    for fault in FAULTS:
        assert (SOURCES / fault.file).read_text("utf-8").count(fault.old) == 1, fault.what
        assert (SOURCES.parents[1] / fault.test.partition("::")[0]).is_file(), fault.test


@pytest.mark.slow
@pytest.mark.parametrize("fault", [one for one in FAULTS if one.what in HANDFUL], ids=lambda one: one.what)
def test_a_fault_is_caught(fault: Fault) -> None:
    with copied_sources() as sources:
        tried = try_out(fault, sources)
    assert tried.is_caught, tried.said
