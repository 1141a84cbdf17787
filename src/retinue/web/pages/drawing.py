"""How a page becomes HTML: the templates, the policy every page is sent with, and what its frame always shows."""

from dataclasses import dataclass
from typing import Any

import jinja2
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import HTMLResponse

import retinue
from retinue.accounts import same_origin
from retinue.accounts.access import Identity
from retinue.base.database import Transaction
from retinue.base.secrets import Secrets
from retinue.base.settings import Settings
from retinue.credits import ledger
from retinue.credits.ledger import Balance
from retinue.jobs.tables import OPEN_JOBS, Job
from retinue.web.pages import static_files, wording

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page: what one has to spend, and how much is running."""

    credits: Balance
    running: int


class Face:
    """Draws templates. One per process."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self.settings = settings
        self._form_key = secrets.key("form-tokens")
        self._environments: dict[str, jinja2.Environment] = {}

    def draw(self, request: Request, template: str, *, status: int = 200, **facts: Any) -> HTMLResponse:
        language = wording.language_of(
            request.cookies.get(wording.COOKIE, ""), request.headers.get("accept-language", "")
        )
        if language not in self._environments:
            self._environments[language] = self._environment(language)
        drawn = self._environments[language].get_template(template)
        words = drawn.render(path=request.url.path, place=place_of(request), **facts)
        return HTMLResponse(words, status, {"Content-Security-Policy": POLICY})

    def form_token(self, seed: str) -> str:
        return same_origin.form_token(self._form_key, seed)

    def check_form(self, request: Request, *, seed: str, token: str) -> None:
        same_origin.check_form(request.scope, public_url=self.settings.public_url)
        same_origin.check_form_token(self._form_key, seed, token)

    def _environment(self, language: str) -> jinja2.Environment:
        made = jinja2.Environment(
            loader=jinja2.PackageLoader("retinue.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        made.install_gettext_translations(wording.translations(language), newstyle=True)  # type: ignore[attr-defined]
        made.policies["json.dumps_kwargs"] = {
            "sort_keys": True,
            "ensure_ascii": False,
        }  # Cyrillic in a third of the bytes
        made.filters.update(wording.filters(language))
        made.globals.update(
            static=static_files.address(),
            version=retinue.__version__,
            language=language,
            languages=wording.languages(),
            script_words=wording.script_words(language),
        )
        return made


def place_of(request: Request) -> str:
    """Where the reader is, to come back to."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def frame_of(now: Transaction, caller: Identity) -> Frame:
    mine = sa.select(sa.func.count()).select_from(Job).where(Job.user_id == caller.user_id, Job.state.in_(OPEN_JOBS))
    return Frame(ledger.balance(now, caller.user_id), now.value(mine) or 0)
