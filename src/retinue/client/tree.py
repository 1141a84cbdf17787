"""The client itself: one tree of resources, as `Client` and as `AsyncClient`."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from retinue.client.account import Credits, Keys, Me, Sessions, Users
from retinue.client.admin import Admin
from retinue.client.asking import Plan, Request, place
from retinue.client.datasets import Datasets
from retinue.client.feedback import Verdicts
from retinue.client.history import Images, Media, Predictions
from retinue.client.jobs import Jobs
from retinue.client.lending import Loans
from retinue.client.models import Models
from retinue.client.predicting import Asking
from retinue.client.profiles import where_to
from retinue.client.rooms import S, Told, operation
from retinue.client.sending import Later, Now
from retinue.client.signing import Credential
from retinue.client.toolkits import Kits, Tools
from retinue.client.trying import Tries
from retinue.client.uploads import Uploads
from retinue.client.webhooks import Webhooks

WhenChanged = Callable[[str, str], object]


class Limits(Told):
    picture_bytes: int
    picture_pixels: int
    picture_side: int
    pictures_per_request: int
    deadline_s: float
    requests_per_minute: int
    requests_at_once: int


class Info(Told):
    version: str
    default_model: str
    registration: str
    limits: Limits
    prices: dict[str, float]
    features: list[str]


class Tree(Asking[S]):
    """Everything that can be asked, by the thing it is about."""

    def __init__(self, sender: S) -> None:
        super().__init__(sender)
        self.models = Models(sender)
        self.predictions = Predictions(sender)
        self.images = Images(sender)
        self.media = Media(sender)
        self.uploads = Uploads(sender)
        self.datasets = Datasets(sender)
        self.jobs = Jobs(sender)
        self.tools = Tools(sender)
        self.kits = Kits(sender)
        self.loans = Loans(sender)
        self.feedback = Verdicts(sender)
        self.webhooks = Webhooks(sender)
        self.credits = Credits(sender)
        self.me = Me(sender)
        self.keys = Keys(sender)
        self.users = Users(sender)
        self.sessions = Sessions(sender)
        self.admin = Admin(sender)

    @property
    def server(self) -> str:
        """The address that is asked."""
        return str(self._sender.http.base_url).rstrip("/")

    @operation
    def info(self) -> Plan[Info]:
        """Version, limits, prices and features of the server."""
        return (yield from self._ask(Request("GET", place("/info"), is_signed=False), Info))


class Client(Tree[Now]):
    """Asks and blocks. May be shared by threads.

    Without a server and a key: RETINUE_SERVER and RETINUE_KEY, else what `retinue login` left.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        key: str | None = None,
        email: str | None = None,
        password: str | None = None,
        profile: str | None = None,
        refresh_token: str | None = None,
        when_changed: WhenChanged | None = None,
        tries: Tries = Tries(),  # noqa: B008 it is frozen
        transport: Any = None,
    ) -> None:
        address, key = where_to(server, key, profile=profile, may_use_key=email is None and refresh_token is None)
        credential = Credential(key, refresh_token, email, password, when_changed)
        super().__init__(Now(address, credential, tries, transport))

    def close(self) -> None:
        self._sender.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Tree[Later]):
    """Asks and is awaited. Belongs to one event loop. Takes the same arguments as `Client`."""

    def __init__(
        self,
        server: str | None = None,
        *,
        key: str | None = None,
        email: str | None = None,
        password: str | None = None,
        profile: str | None = None,
        refresh_token: str | None = None,
        when_changed: WhenChanged | None = None,
        tries: Tries = Tries(),  # noqa: B008 it is frozen
        transport: Any = None,
    ) -> None:
        address, key = where_to(server, key, profile=profile, may_use_key=email is None and refresh_token is None)
        credential = Credential(key, refresh_token, email, password, when_changed)
        super().__init__(Later(address, credential, tries, transport))

    async def close(self) -> None:
        await self._sender.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
