"""A node that does nothing but send webhooks, until it is killed.

    python -m tests.webhooks.messenger DATABASE_URL HOW_MANY_BEFORE

Each lives so much later than those before it that their leases have ended: nobody waits half a minute for that.
"""

import asyncio
import sys
from datetime import datetime
from ipaddress import ip_network

from retinue.base.clock import SystemClock
from retinue.base.database import Database
from retinue.base.fetching import Fetcher
from retinue.base.observe import Metrics, start_logging
from retinue.base.secrets import Secrets
from retinue.webhooks.deliveries import LEASE
from retinue.webhooks.sending import Sender
from retinue.webhooks.signing import Signing

SECRET = "a secret that all messengers of a test share"
LOOK_S = 0.02


class LaterClock:
    def __init__(self, leases: int) -> None:
        self._later = leases * LEASE

    def now(self) -> datetime:
        return SystemClock().now() + self._later


async def main(database_url: str, before: str) -> None:
    clock = LaterClock(int(before))
    database, fetcher = Database(database_url, clock=clock, readers=1), Fetcher(allow=[ip_network("127.0.0.0/8")])
    sender = Sender(database, fetcher, Signing(Secrets(SECRET)), clock, Metrics(), low_below=0)
    while True:
        await sender.send_due()
        await asyncio.sleep(LOOK_S)


if __name__ == "__main__":
    start_logging(level="error")
    asyncio.run(main(*sys.argv[1:]))
