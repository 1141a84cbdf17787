"""Who asks in these stories, and the ways they send a picture."""

from tests.accounts.conftest import ada, admin, bob

__all__ = ["ada", "admin", "bob"]
