"""How passwords may be tried: a stranger's guesses get slower and slower, and the victim is never locked out.

Counted by what was typed, not by who exists, so that the answers tell nothing about accounts.
"""

import asyncio
import hashlib

from retinue.accounts.rates import Rates
from retinue.base.errors import TooMany

FREE = 5
LONGEST_WAIT_S = 900
REMEMBERED_S = 24 * 3600
UNDER_ATTACK = 50  # failures for one account in an hour, from wherever


class TooManyGuesses(TooMany):
    code = "too-many-guesses"
    title = "Too many wrong passwords from here"


class Guessing:
    def __init__(self, rates: Rates, *, slow_s: float = 2.0) -> None:
        self._rates = rates
        self._slow_s = slow_s

    async def admit(self, name: str, address: str, *, is_known_address: bool) -> None:
        """Before the password is looked at. The try counts at once: a hundred together get no more than one by one."""
        tried, wait = _key("tried", name, address), _key("wait", name, address)
        if await self._rates.counted(wait):
            left_s = max(1.0, await self._rates.expires_in_s(wait))
            raise TooManyGuesses(
                "Wait before the next one, or try from where you signed in before", retry_after_s=left_s
            )
        count = await self._rates.count(tried, expires_in_s=REMEMBERED_S)
        if count >= FREE:
            await self._rates.count(wait, expires_in_s=min(LONGEST_WAIT_S, 1 << min(count - FREE, 10)))
        if not is_known_address and await self._rates.counted(_key("failed", name)) >= UNDER_ATTACK:
            await asyncio.sleep(self._slow_s)  # the slow path: everybody who is new here waits, the right one gets in

    async def failed(self, name: str) -> None:
        await self._rates.count(_key("failed", name), expires_in_s=3600)

    async def succeeded(self, name: str, address: str) -> None:
        await self._rates.forget(_key("tried", name, address))
        await self._rates.forget(_key("wait", name, address))


def _key(what: str, *who: str) -> str:
    """Typed names may be anything, and are nobody's business in a shared cache."""
    return f"guess:{what}:{hashlib.sha256(chr(0).join(who).encode(errors='replace')).hexdigest()[:32]}"
