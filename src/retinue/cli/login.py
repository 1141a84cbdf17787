"""`retinue login` and `logout`: a key of this machine's own, kept for the owner's eyes, and revoked again."""

import getpass
import socket
import sys
from typing import Annotated

from cyclopts import Parameter

from retinue.cli.showing import say
from retinue.client import Client, NotSignedIn, profiles
from retinue.client.account import SCOPES
from retinue.client.profiles import USUAL, Profile

Name = Annotated[str, Parameter(help="A name for it, where you use several servers.")]


def login(
    *,
    server: Annotated[str, Parameter(help="Address of the server.", env_var="RETINUE_SERVER")],
    email: Annotated[str | None, Parameter(help="Asked for when not given.")] = None,
    profile: Name = USUAL,
    admin: Annotated[bool, Parameter(negative=(), help="The key may also do what admins may; for admins.")] = False,
) -> int:
    """Sign in once; from then on commands ask this server.

    The password is asked for, or read from standard input. It is not kept: a key is made with it that lasts 90 days
    and is listed among your keys under this machine's name.

    For example:

    ```console
    $ retinue login --server https://retinue.example
    $ retinue login --server https://staging.example --profile staging
    $ retinue login --server https://retinue.example --profile root --admin
    ```
    """
    email = email or input("E-mail: ")
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    server = server.rstrip("/")
    with Client(server, email=email, password=password) as client:
        key = client.keys.make(f"retinue on {socket.gethostname()}", scopes=SCOPES if admin else None)
        client.sessions.log_out()
    file = profiles.keep(profile, Profile(server, key.key, key.id, email))
    say(f"Signed in to {server} as {email} until {key.expires_at:%Y-%m-%d}; the key is in {file}")
    return 0


def logout(*, profile: Name = USUAL) -> int:
    """Revoke this machine's key and forget it."""
    kept = profiles.read(profile)
    if kept is None:
        say(f"Nobody is signed in as {profile!r}")
        return 0
    with Client(kept.server, key=kept.key) as client:
        try:
            client.keys.revoke(kept.key_id)
        except NotSignedIn:
            say("The key had ended already")
    profiles.forget(profile)
    say(f"Signed out of {kept.server}")
    return 0
