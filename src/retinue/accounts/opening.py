"""The room as one part: what its routes need, opened once per process."""

from dataclasses import dataclass

from retinue.accounts.credentials import Hasher
from retinue.accounts.guessing import Guessing
from retinue.accounts.people import AfterDelete, AfterSignUp, BeforeDelete
from retinue.accounts.rates import Rates
from retinue.accounts.recognising import Recognition
from retinue.accounts.tokens import AccessTokens
from retinue.base.clock import Clock
from retinue.base.database import Database
from retinue.base.observe import Metrics
from retinue.base.secrets import Secrets
from retinue.base.settings import Settings


@dataclass
class Accounts:
    """Higher rooms add to `after_sign_up` and `after_delete` what they do in the same transaction, and to
    `before_delete` what may refuse it."""

    settings: Settings
    secrets: Secrets
    database: Database
    hasher: Hasher
    tokens: AccessTokens
    rates: Rates
    guessing: Guessing
    recognition: Recognition
    after_sign_up: tuple[AfterSignUp, ...] = ()
    before_delete: tuple[BeforeDelete, ...] = ()
    after_delete: tuple[AfterDelete, ...] = ()

    @property
    def refresh_key(self) -> bytes:
        return self.secrets.key("refresh-tokens")

    def close(self) -> None:
        self.hasher.close()


def open_accounts(
    settings: Settings,
    *,
    secrets: Secrets,
    database: Database,
    clock: Clock,
    metrics: Metrics,
    hasher: Hasher | None = None,
    after_sign_up: tuple[AfterSignUp, ...] = (),
    before_delete: tuple[BeforeDelete, ...] = (),
    after_delete: tuple[AfterDelete, ...] = (),
) -> Accounts:
    tokens = AccessTokens(secrets.key("access-tokens"), clock, minutes=settings.access_token_minutes)
    rates = Rates(settings.cache_url, metrics=metrics)
    return Accounts(
        settings=settings,
        secrets=secrets,
        database=database,
        hasher=hasher or Hasher(),
        tokens=tokens,
        rates=rates,
        guessing=Guessing(rates),
        recognition=Recognition(database, tokens, clock),
        after_sign_up=after_sign_up,
        before_delete=before_delete,
        after_delete=after_delete,
    )
