"""Who asks in these stories."""

from tests.accounts.conftest import ada

__all__ = ["ada"]
