"""`retinue loadtest`: how many pictures per second a server answers, with so many people asking at once."""

import asyncio
import html
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, say, show_json, show_table
from retinue.client import AsyncClient, RetinueError, Tries
from retinue.client.errors import Problem


@dataclass
class Step:
    """What came back while so many people asked."""

    users: int
    seconds: float = 0.0
    took_ms: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0

    def as_row(self) -> dict[str, float | int]:
        return {
            "users": self.users,
            "answers": len(self.took_ms),
            "refusals": sum(self.refused.values()),
            "per_second": round(len(self.took_ms) / self.seconds, 2) if self.seconds else 0.0,
            "p50_ms": self._percentile(0.50),
            "p95_ms": self._percentile(0.95),
            "p99_ms": self._percentile(0.99),
            "credits": round(self.cost, 2),
        }

    def _percentile(self, share: float) -> float:
        ranked = sorted(self.took_ms)
        return round(ranked[math.ceil(share * len(ranked)) - 1], 1) if ranked else 0.0


def loadtest(
    *pictures: Annotated[Path, Parameter(help="Pictures to send in turn.")],
    users: Annotated[str, Parameter(help="How many ask at once; several numbers are steps: 1,4,16.")] = "10",
    seconds: Annotated[float, Parameter(help="How long each step lasts.")] = 30.0,
    model: Annotated[str | None, Parameter(help="The model to ask; unset: the server's default.")] = None,
    report: Annotated[Path | None, Parameter(help="Write the figures as an HTML page too.")] = None,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Ask a server for predictions, each user as soon as the last answer came. It costs what predictions cost.

    The result cache is not asked, so every answer is looked at. Exit code 1 when anything was refused.

    For example:

    ```console
    $ retinue loadtest cat.jpg
    $ retinue loadtest *.jpg --users 1,10,50 --seconds 30 --report load.html
    ```
    """
    try:
        steps = [Step(int(number)) for number in users.split(",")]
    except ValueError:
        steps = []
    if not pictures or not steps or any(step.users < 1 for step in steps) or seconds <= 0:
        say("Name at least one picture, and users as numbers: retinue loadtest cat.jpg --users 1,10")
        return 2
    data = [picture.read_bytes() for picture in pictures]
    asyncio.run(_run(steps, data, seconds, model, at))
    rows = [step.as_row() for step in steps]
    if as_json:
        show_json(rows)
    else:
        show_table(list(rows[0]), [list(row.values()) for row in rows])
    for step in steps:
        for words, count in sorted(step.refused.items()):
            say(f"{step.users} users: {count} × {words}")
    if report is not None:
        report.write_text(_page(rows, [picture.name for picture in pictures], seconds), "utf-8")
        say(f"Written: {report}")
    return 1 if any(step.refused for step in steps) else 0


async def _run(steps: list[Step], pictures: list[bytes], seconds: float, model: str | None, at: At) -> None:
    # A refusal is a figure here: nothing is tried again behind our back.
    async with AsyncClient(at.server, profile=at.profile, tries=Tries(most=1)) as client:
        for step in steps:
            began = time.perf_counter()
            ends = began + seconds
            await asyncio.gather(*(_user(client, step, pictures, n, ends, model) for n in range(step.users)))
            step.seconds = time.perf_counter() - began


async def _user(
    client: AsyncClient, step: Step, pictures: list[bytes], number: int, ends: float, model: str | None
) -> None:
    while (sent := time.perf_counter()) < ends:
        picture = pictures[number % len(pictures)]
        number += 1
        try:
            if model is None:
                seen = await client.predict(picture, cache=False)
            else:
                seen = await client.predict(picture, model=model, cache=False)
        except RetinueError as refusal:
            words = f"{refusal.status} {refusal.code}" if isinstance(refusal, Problem) else str(refusal)
            step.refused[words] = step.refused.get(words, 0) + 1
            await asyncio.sleep(0.1)  # as a client that was told to come later would
        else:
            step.took_ms.append((time.perf_counter() - sent) * 1000)
            step.cost += seen.cost


def _page(rows: list[dict[str, float | int]], pictures: list[str], seconds: float) -> str:
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{value}</td>" for value in row.values()) + "</tr>" for row in rows)
    sent = html.escape(", ".join(pictures))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Load test</title>'
        "<style>body{font:16px system-ui;margin:2rem}table{border-collapse:collapse}"
        "td,th{padding:.4rem .8rem;border-bottom:1px solid #ccc;text-align:right}</style>"
        f"<h1>Load test</h1><p>{seconds:g} s a step; sent in turn: {sent}.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></html>\n"
    )
