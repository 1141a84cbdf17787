"""How a receiver knows that a message is ours: Standard Webhooks signatures with secrets that no table holds."""

from base64 import b64encode
from datetime import datetime

from standardwebhooks.webhooks import Webhook as Signer

from retinue.base.secrets import Secrets
from retinue.webhooks.tables import Webhook

PREFIX = "whsec_"


class Signing:
    """Every secret is derived from the install's own and a name: 32 bytes, the same on every node."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def secret_of(self, webhook: Webhook) -> str:
        return self._named(f"webhook/{webhook.salt}")

    def secret_of_user(self, user_id: str) -> str:
        """For addresses that are given with a job and have no secret of their own."""
        return self._named(f"webhooks-of-user/{user_id}")

    def secrets_for(self, user_id: str, webhook: Webhook | None, *, at: datetime) -> list[str]:
        """What to sign with, the present secret first; one that was just replaced still counts for a day."""
        if webhook is None:
            return [self.secret_of_user(user_id)]
        old = webhook.old_salt is not None and webhook.old_until is not None and at < webhook.old_until
        return [self.secret_of(webhook), *([self._named(f"webhook/{webhook.old_salt}")] if old else [])]

    def _named(self, name: str) -> str:
        return PREFIX + b64encode(self._secrets.key(name)).decode()


def headers(message_id: str, body: str, secrets: list[str], *, at: datetime) -> dict[str, str]:
    """The time is that of this try, so that a receiver may refuse what is old."""
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(message_id, at, body) for secret in secrets),
    }
