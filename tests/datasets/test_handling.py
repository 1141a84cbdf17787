"""How many files of an upload go through checking and writing together."""

from io import BytesIO

import pytest

from retinue.datasets.checking import Candidate
from retinue.datasets.content import FileContent
from retinue.datasets.handling import AT_ONCE, MOST_BYTES_IN_BATCH, MOST_IN_BATCH, batches

PICTURE_BYTES = 100_000
LARGE_BYTES = MOST_BYTES_IN_BATCH - PICTURE_BYTES


def files(*sizes: int) -> list[Candidate]:
    return [Candidate("", FileContent(f"{n}.jpg", size, BytesIO())) for n, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([PICTURE_BYTES], [1]),
        ([PICTURE_BYTES] * AT_ONCE, [1] * AT_ONCE),  # everybody has something to do
        ([PICTURE_BYTES] * (2 * AT_ONCE + 1), [3] * 5 + [2]),
        ([PICTURE_BYTES] * (MOST_IN_BATCH * AT_ONCE * 2), [MOST_IN_BATCH] * (AT_ONCE * 2)),
        ([PICTURE_BYTES, LARGE_BYTES, LARGE_BYTES, *[PICTURE_BYTES] * 30], [2, 2, 5, 5, 5, 5, 5, 4]),
        ([2 * MOST_BYTES_IN_BATCH] * 2 + [PICTURE_BYTES] * 7, [1, 1, 2, 2, 2, 1]),
    ],
)
def test_batches_are_small_enough_for_all_and_for_memory(sizes: list[int], expected: list[int]) -> None:
    made = list(batches(files(*sizes)))
    assert [len(batch) for batch in made] == expected
    assert [at for batch in made for at, _ in batch] == list(range(len(sizes)))
