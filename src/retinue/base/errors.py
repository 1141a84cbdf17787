"""The tree of refusals: a room's own errors are leaves of these branches, and `web/problems.py` gives each a status."""

from typing import Any, ClassVar


class RetinueError(Exception):
    """A sentence for the person who asked. `detail` is safe to show; foreign messages never reach it."""

    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str = "", **facts: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.facts = facts


class Malformed(RetinueError):
    """The request itself cannot be read."""

    code = "malformed-request"
    title = "The request could not be read"


class Invalid(RetinueError):
    """Readable and of the right kind, but its content is broken or forbidden."""

    code = "invalid"
    title = "The request asks for something that cannot be"


class NotSignedIn(RetinueError):
    """No credential, or one that is wrong, expired or revoked."""

    code = "not-signed-in"
    title = "Please sign in"


class Forbidden(RetinueError):
    """Signed in, but this role or key may not do this."""

    code = "forbidden"
    title = "You may not do this"


class NotFound(RetinueError):
    """Not there, or not yours: the answer is the same."""

    code = "not-found"
    title = "There is no such thing"


class Conflict(RetinueError):
    """The state of things does not allow it now."""

    code = "conflict"
    title = "This cannot be done in the present state"


class Gone(RetinueError):
    code = "gone"
    title = "This has been deleted"


class TooLarge(RetinueError):
    """Too large in any measure."""

    code = "too-large"
    title = "This is larger than the limits allow"


class WrongKind(RetinueError):
    """A kind of content that is not accepted here."""

    code = "unsupported-kind"
    title = "This kind of content is not accepted"


class PaymentNeeded(RetinueError):
    code = "payment-needed"
    title = "This costs more than there is"


class TooSlow(RetinueError):
    """The client took too long to send its request."""

    code = "too-slow"
    title = "The request took too long to arrive"


class TooMany(RetinueError):
    """You are over your own limit. `retry_after_s` says when to come back."""

    code = "too-many-requests"
    title = "You are asking faster than your limit allows"

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.retry_after_s = retry_after_s


class Unavailable(RetinueError):
    """The whole service, or a part it needs, cannot answer now."""

    code = "unavailable"
    title = "The service cannot answer this right now"

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.retry_after_s = retry_after_s


class StorageFull(RetinueError):
    code = "storage-full"
    title = "There is no room left to store this"
