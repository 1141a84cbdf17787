"""What a password must be, and how it is kept: Argon2id, two at a time, and never told apart from no account at all."""

import asyncio
import os
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import Field, SecretStr

from retinue.base.errors import Invalid, TooMany

T = TypeVar("T")
SHORTEST, LONGEST = 8, 256
# The top 3,000 common passwords and their variations all fall within this many guesses.
FEWEST_GUESSES = 10_000
READ_BY_ZXCVBN = 72
SITE_WORDS = {"retinue"}

# Checked again with words by `check_password`; here so that nothing longer is ever hashed.
NewPassword = Annotated[SecretStr, Field(min_length=SHORTEST, max_length=LONGEST)]
GivenPassword = Annotated[SecretStr, Field(max_length=LONGEST)]


class WeakPassword(Invalid):
    code = "weak-password"
    title = "This password is too easy to guess"


class UnusablePassword(Invalid):
    code = "unusable-password"
    title = "This cannot be a password"


class TooManySigningIn(TooMany):
    code = "too-many-signing-in"
    title = "Too many people are signing in at once"


def check_password(password: str, *, about: tuple[str, ...] = ()) -> None:
    """Length and guessability, no composition rules. `about`: the person's address and names. Up to 30 ms of work."""
    from zxcvbn import zxcvbn

    if not SHORTEST <= len(password) <= LONGEST:
        raise UnusablePassword(f"A password has {SHORTEST} to {LONGEST} characters")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise UnusablePassword("A password cannot hold half a surrogate pair") from None
    own = {word for text in about for word in re.split(r"\W+", text.casefold()) if len(word) > 2}
    letters = re.sub(r"[\W\d_]+", "", password).casefold()
    if letters in SITE_WORDS | own:
        raise WeakPassword("Choose one that is not just your name or this site's with digits around it")
    guesses = zxcvbn(password[:READ_BY_ZXCVBN], user_inputs=[*SITE_WORDS, *own, *about])["guesses"]
    if guesses < FEWEST_GUESSES:
        raise WeakPassword("It is among the first that anybody would try; three or four unrelated words are better")


class Hasher:
    """64 MiB and three passes per hash, two hashes at once: 128 MiB at most, and a queue that refuses after 2 s."""

    def __init__(
        self, *, memory_kib: int = 64 * 1024, passes: int = 3, at_once: int = 2, patience_s: float = 2.0
    ) -> None:
        self._argon = PasswordHash((Argon2Hasher(time_cost=passes, memory_cost=memory_kib, parallelism=1),))
        self._free = asyncio.Semaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="password")
        self._patience_s = patience_s
        salt, digest = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
        self._nobodys = f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"

    async def choose(self, password: str, *, about: tuple[str, ...] = ()) -> str:
        """The hash of a new password, or the reason why it may not be one."""
        return await self._take_turn(lambda: self.choose_now(password, about=about))

    def choose_now(self, password: str, *, about: tuple[str, ...] = ()) -> str:
        check_password(password, about=about)
        return self._argon.hash(password)

    async def verify(self, password: str, kept: str | None) -> tuple[bool, str | None]:
        """Whether it fits, and a new hash where the old one is weaker than today's. No account costs the same time."""
        is_right, renewed = await self._take_turn(
            lambda: self._argon.verify_and_update(password, kept or self._nobodys)
        )
        return (is_right and bool(kept)), renewed

    def close(self) -> None:
        self._threads.shutdown()

    async def _take_turn(self, work: Callable[[], T]) -> T:
        async with self._turn():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._free.acquire()
        except TimeoutError:
            raise TooManySigningIn("Try again in a few seconds", retry_after_s=self._patience_s) from None
        try:
            yield
        finally:
            self._free.release()
