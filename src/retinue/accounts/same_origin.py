"""Whether a request that carries our cookie was sent by a page of ours (CSRF): the browser says so, or it is refused.

`Sec-Fetch-Site` cannot be set by a page. Browsers leave it out on plain HTTP to other machines; then `Origin` decides.
A script of ours also sends `X-Requested-With`, which no form and no other origin can without asking first; a form of
ours carries a token that only this browser's page was given.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from retinue.base.errors import Forbidden

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class NotFromHere(Forbidden):
    code = "not-from-here"
    title = "Another site sent this request in your name"


def check_script(scope: Scope, *, public_url: str) -> None:
    """A call of the API with the cookie: only our own scripts may, and they say so."""
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if scope["method"] in READING:
        if site not in (None, "same-origin", "none"):
            raise NotFromHere("Open the page itself, or use an API key")
        return
    check_form(scope, public_url=public_url)
    if not headers.get("x-requested-with"):
        raise NotFromHere("Scripts of these pages send X-Requested-With")


def check_form(scope: Scope, *, public_url: str) -> None:
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        if site != "same-origin":
            raise NotFromHere("Open the page itself and try there")
        return
    if origin is None or origin not in own_origins(scope, public_url):
        raise NotFromHere("Open the page itself and try there")


def own_origins(scope: Scope, public_url: str) -> set[str]:
    told = {f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}"}
    if public_url:
        parts = urlsplit(public_url)
        told.add(f"{parts.scheme}://{parts.netloc}")
    return told


def form_token(key: bytes, seed: str) -> str:
    """`seed` is what the browser has and another site does not: its session's id, or the cookie of the form's page."""
    return hmac.digest(key, seed.encode(), hashlib.sha256).hex()


def check_form_token(key: bytes, seed: str, given: str) -> None:
    if not hmac.compare_digest(form_token(key, seed).encode(), given.encode(errors="replace")):
        raise NotFromHere("This form is too old, or was not ours: open the page again")
