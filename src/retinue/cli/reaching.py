"""Which server a command asks: `--server` or `--profile`, else the environment, else whoever signed in last."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from retinue.client import Client
from retinue.client.profiles import is_told


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class At:
    """The server that is meant, and who asks."""

    server: Annotated[str | None, Parameter(help="Address of the server. Also: RETINUE_SERVER.")] = None
    profile: Annotated[str | None, Parameter(help="Name given to `retinue login`.")] = None

    def client(self) -> Client:
        """The key comes from RETINUE_KEY or the profile, never from the command line: everybody sees that."""
        return Client(self.server, profile=self.profile)

    def is_told(self) -> bool:
        """Whether any server is meant at all; without one, this machine does the work itself."""
        return self.server is not None or self.profile is not None or is_told()

    def is_named(self) -> bool:
        """Whether this very command names one. What admins do is meant for this machine's own house otherwise."""
        return self.server is not None or self.profile is not None


NOWHERE = At()
