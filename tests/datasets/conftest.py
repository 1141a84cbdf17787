"""Who asks in these stories."""

from tests.accounts.conftest import ada, admin, bob

__all__ = ["ada", "admin", "bob"]
