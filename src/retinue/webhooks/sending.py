"""How news leave the house: what is due is claimed, sent through the guarded fetcher, and marked; on every node."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from prometheus_client import Counter as Counted

from retinue import __version__
from retinue.base.chores import Chore, doing
from retinue.base.clock import Clock
from retinue.base.database import Database, Transaction
from retinue.base.errors import RetinueError
from retinue.base.failpoints import reach
from retinue.base.fetching import Fetcher, Reply
from retinue.base.observe import Metrics
from retinue.webhooks import deliveries, low_credits
from retinue.webhooks.deliveries import Due, Sending
from retinue.webhooks.outcomes import Answer
from retinue.webhooks.signing import Signing, headers

EVERY_S = 1.0
WITHIN_S = 15.0
MOST_AT_ONCE = 32
MOST_PER_ADDRESS = 4  # a receiver that hangs holds up nobody else's news
LAST_WORDS_S = 2.0
_SECONDS = re.compile(r"[0-9]{1,9}")
_log = structlog.get_logger(__name__)


class Sender:
    """`low_below`: hundredths of available credits below which `credits.low` is told; 0 tells nobody."""

    def __init__(
        self,
        database: Database,
        fetcher: Fetcher,
        signing: Signing,
        clock: Clock,
        metrics: Metrics,
        *,
        low_below: int,
    ) -> None:
        self.signing = signing
        self._database, self._fetcher, self._clock = database, fetcher, clock
        self._low_below = low_below
        self._tries: Counted = metrics.webhook_tries
        self._under_way: dict[asyncio.Task[None], str] = {}

    async def check_address(self, url: str) -> None:
        """Before it is saved, and again at every try: a name may lead elsewhere by then."""
        await self._fetcher.check_address(url)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        chores = [
            Chore("send webhooks", EVERY_S, self.send_due),
            Chore("tell who is low on credits", 60, self.tell_who_is_low),
            Chore("sweep deliveries", 3600, self.sweep),
        ]
        try:
            async with doing(chores):
                yield
        finally:
            await self.finish(within_s=LAST_WORDS_S)

    async def send_due(self) -> int:
        """Begins as many as there is room for; how many."""
        if len(self._under_way) >= MOST_AT_ONCE or not (chosen := self._choose(await self._database.read(self._look))):
            return 0
        claimed = await self._database.write(lambda now: [deliveries.claim(now, one) for one in chosen])
        for one, sending in zip(chosen, claimed, strict=True):
            if sending is not None:
                task = asyncio.create_task(self._send(sending), name=f"webhook {sending.delivery.id}")
                self._under_way[task] = one.address
                task.add_done_callback(self._under_way.pop)
        return sum(sending is not None for sending in claimed)

    async def tell_who_is_low(self) -> None:
        if self._low_below and await self._database.read(lambda now: low_credits.is_due(now, self._low_below)):
            await self._database.write(lambda now: low_credits.tell_once(now, self._low_below))

    async def sweep(self) -> None:
        """Round by round, so that none holds the others' writes up."""
        while await self._database.write(deliveries.sweep) == deliveries.SWEPT_AT_ONCE:
            pass

    async def finish(self, *, within_s: float | None = None) -> None:
        """What is under way may end; the rest is sent again when its lease has ended."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _look(self, now: Transaction) -> Sequence[Due]:
        busy = Counter(self._under_way.values())
        full = [address for address, count in busy.items() if count >= MOST_PER_ADDRESS]
        return deliveries.due(now, but_not=full)

    def _choose(self, found: Sequence[Due]) -> list[Due]:
        busy, chosen = Counter(self._under_way.values()), []
        for one in found:
            if busy.total() < MOST_AT_ONCE and busy[one.address] < MOST_PER_ADDRESS:
                busy[one.address] += 1
                chosen.append(one)
        return chosen

    async def _send(self, sending: Sending) -> None:
        try:
            at = self._clock.now()
            answer = await self._ask(sending)
            reach("after_webhook_sent")
            came_to = await self._database.write(lambda now: deliveries.mark(now, sending, answer, at=at))
        except Exception:  # noqa: BLE001 the lease ends by itself, and the message is sent again
            _log.exception("a webhook was sent and could not be marked", delivery=sending.delivery.id)
            return
        outcome = "too-late" if came_to is None else type(came_to).__name__.lower()
        self._tries.labels(outcome).inc()
        if not answer.is_delivered:
            _log.info("a webhook failed", delivery=sending.delivery.id, reason=answer.words, outcome=outcome)

    async def _ask(self, sending: Sending) -> Answer:
        delivery, at = sending.delivery, self._clock.now()
        secrets = self.signing.secrets_for(delivery.user_id, sending.webhook, at=at)
        told = headers(delivery.id, delivery.body, secrets, at=at) | {"User-Agent": f"Retinue/{__version__}"}
        try:
            reply = await self._fetcher.fetch(
                sending.url, method="POST", headers=told, body=delivery.body.encode(), within_s=WITHIN_S
            )
        except RetinueError as failure:
            return Answer(reason=failure.title)
        return Answer(reply.status, retry_after=_retry_after(reply))


def _retry_after(reply: Reply) -> timedelta:
    """In seconds; a date is rare, and our own waits are long enough."""
    told = reply.headers.get("retry-after", "")
    return timedelta(seconds=int(told)) if _SECONDS.fullmatch(told) else timedelta()
