"""What loading a heavy model costs those who are being served: p95 of one model while another loads, and without.

    python -m bench.loading

Each round measures both; the smallest ratio counts, since whatever else the machine does can only add. Ends with 1
above the ceiling.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.figures import Figure, give
from bench.graphs import resnet50
from bench.pictures import jpegs
from retinue.vision import Engine

CEILING = 1.5
ROUNDS = 5


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        ratios = asyncio.run(measure(Path(folder)))
    rounds = "rounds: " + ", ".join(f"{ratio:.2f}" for ratio in ratios)
    what = "p95 while a ResNet-50-sized model loads"
    return give(
        "loading", [Figure(what, round(min(ratios), 2), "× without", CEILING, less_is_better=True, remark=rounds)]
    )


async def measure(folder: Path) -> list[float]:
    heavy, (picture,) = resnet50(folder / "heavy"), jpegs(1, width=640, height=480)
    async with Engine(cache=folder / "cache") as eye:
        await eye.load("efficientnet-lite0")
        ratios = []
        for _ in range(ROUNDS):
            calm = await p95_ms(eye, picture, until=asyncio.create_task(asyncio.sleep(2)))
            busy = await p95_ms(eye, picture, until=asyncio.create_task(eye.load(heavy)))
            await eye.unload(heavy.key)
            ratios.append(busy / calm)
    return ratios


async def p95_ms(eye: Engine, picture: bytes, *, until: "asyncio.Task[object]") -> float:
    """Of two callers who ask again and again until the other is done."""
    took: list[float] = []

    async def call() -> None:
        while not until.done():
            took.append((await eye.predict("efficientnet-lite0", picture)).timing.total_ms)

    await asyncio.gather(call(), call())
    return float(np.percentile(took, 95))


if __name__ == "__main__":
    sys.exit(main())
