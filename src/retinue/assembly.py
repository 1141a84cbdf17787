"""The house put together: settings → database, storage, and the list of routers. Nothing else sees every room."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI

from retinue.accounts import admin_routes, session_routes, sessions, setup
from retinue.accounts import routes as account_routes
from retinue.accounts.credentials import Hasher
from retinue.accounts.gate import Gate
from retinue.accounts.opening import Accounts, open_accounts
from retinue.base import migrating
from retinue.base.addresses import networks_of
from retinue.base.chores import Chore, doing
from retinue.base.clock import Clock, SystemClock
from retinue.base.database import Database
from retinue.base.errors import RetinueError
from retinue.base.fetching import Fetcher
from retinue.base.leftovers import delete_unfinished
from retinue.base.memory import giving_back
from retinue.base.observe import Metrics
from retinue.base.parts import Parts
from retinue.base.secrets import Secrets, open_secrets
from retinue.base.settings import BadSettings, Settings
from retinue.base.storage import Storage, open_storage
from retinue.catalog import publishing
from retinue.catalog import routes as catalog_routes
from retinue.catalog.arriving import Intake
from retinue.catalog.publishing import Publisher
from retinue.catalog.serving import Catalog
from retinue.catalog.shelf import Shelf, sweep_packages
from retinue.catalog.sources import Sources
from retinue.credits import admin_routes as credits_admin_routes
from retinue.credits import counting as credits_counting
from retinue.credits import routes as credits_routes
from retinue.credits import sweeping as credits_sweeping
from retinue.credits.prices import prices_of
from retinue.credits.shapes import as_hundredths
from retinue.credits.verifying import LedgerChecks
from retinue.credits.welcoming import welcome
from retinue.datasets import routes as dataset_routes
from retinue.datasets.handling import Importer
from retinue.datasets.verifying import charges_match_items
from retinue.feedback import export_routes, promotion_routes, shadow_routes, version_routes
from retinue.feedback import routes as feedback_routes
from retinue.feedback.shadowing import Shadow
from retinue.jobs import admin_routes as jobs_admin_routes
from retinue.jobs import counting as jobs_counting
from retinue.jobs import results_routes as job_results_routes
from retinue.jobs import routes as job_routes
from retinue.jobs.brokers import broker_check, open_broker
from retinue.jobs.brokers import close as close_broker
from retinue.jobs.later import look_later
from retinue.jobs.manifests import sweep_manifests
from retinue.jobs.running import Jobs, Place
from retinue.jobs.terms import terms_of
from retinue.jobs.verifying import verify_jobs
from retinue.jobs.watching import Doors
from retinue.media import routes as media_routes
from retinue.media import sweeping, upload_routes, uploads
from retinue.media.darkroom import Darkroom
from retinue.media.links import Links
from retinue.media.quota import Quota
from retinue.media.uploads import Uploads
from retinue.predictions import history_routes
from retinue.predictions import routes as prediction_routes
from retinue.predictions.cache import open_cache
from retinue.predictions.desk import Desk
from retinue.predictions.memory import PictureMemory
from retinue.predictions.road import Road
from retinue.predictions.verifying import charges_match_predictions
from retinue.protocol import eye_routes, repository_routes, statistics_routes
from retinue.protocol import routes as protocol_routes
from retinue.protocol.places import Places
from retinue.protocol.remote_eye import RemoteEye
from retinue.protocol.routes import Readiness
from retinue.toolkits import kit_routes, kits, loan_routes, loans, starting, tool_routes
from retinue.vision.engine import Engine
from retinue.vision.errors import VisionError
from retinue.vision.priorities import Politeness
from retinue.vision.providers import CannotRunThere, providers_of
from retinue.web import health, info, upkeep
from retinue.web.app import build_app
from retinue.web.eye_app import build_eye_app, listening
from retinue.web.health import Health, database_check
from retinue.web.pages.drawing import Face
from retinue.web.pages.lately import Lately
from retinue.web.pages.screens import PAGES
from retinue.web.problems import problem_of
from retinue.webhooks import endpoints
from retinue.webhooks import routes as webhook_routes
from retinue.webhooks.sending import Sender
from retinue.webhooks.signing import Signing

ROUTERS: Sequence[APIRouter] = (
    prediction_routes.routes,  # asked most, so looked at first: 62 patterns before it cost 0.2 ms of every prediction
    health.routes,
    account_routes.routes,
    session_routes.routes,
    admin_routes.routes,
    credits_routes.routes,
    credits_admin_routes.routes,
    webhook_routes.routes,
    media_routes.routes,
    upload_routes.routes,
    dataset_routes.routes,
    export_routes.routes,
    catalog_routes.routes,
    history_routes.routes,
    tool_routes.routes,
    kit_routes.routes,
    loan_routes.routes,
    job_routes.routes,
    jobs_admin_routes.routes,
    job_results_routes.routes,
    feedback_routes.routes,
    version_routes.routes,
    promotion_routes.routes,
    shadow_routes.routes,
    info.routes,
    upkeep.routes,
    statistics_routes.routes,  # before the next one, for which “stats” would be a model's name
    protocol_routes.routes,
    repository_routes.routes,
)

# What each room that charges knows about its charges; `retinue doctor` and the admin's verify ask all of them.
LEDGER_CHECKS = LedgerChecks([charges_match_items, charges_match_predictions, verify_jobs])


@dataclass
class House:
    """Everything that is opened once per process, and closed with it."""

    settings: Settings
    clock: Clock
    secrets: Secrets
    database: Database
    metrics: Metrics
    health: Health
    accounts: Accounts
    storage: Storage
    shelf: Shelf
    remote_eye: RemoteEye | None = None
    setup_code: str | None = None

    def close(self) -> None:
        if self.remote_eye is not None:
            self.remote_eye.close()
        self.accounts.close()
        self.database.close()


def open_house(settings: Settings, *, clock: Clock | None = None, hasher: Hasher | None = None) -> House:
    clock = clock or SystemClock()
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = settings.secret_key.get_secret_value() if settings.secret_key else None
    secrets, metrics = open_secrets(settings.data_dir, given), Metrics()
    database = Database(settings.database, clock=clock)
    credits_counting.tell(metrics.registry, database)
    jobs_counting.tell(metrics.registry, database)
    storage = open_storage(settings.storage)
    checks = {"database": database_check(database), "storage": storage.check}
    return House(
        settings=settings,
        clock=clock,
        secrets=secrets,
        database=database,
        metrics=metrics,
        health=Health(checks),
        accounts=open_accounts(
            settings,
            secrets=secrets,
            database=database,
            clock=clock,
            metrics=metrics,
            hasher=hasher,
            after_sign_up=(welcome(as_hundredths(settings.welcome_credits)),),
            before_delete=(loans.refuse_while_out,),
            after_delete=(endpoints.delete_all,),
        ),
        storage=storage,
        shelf=Shelf(settings.data_dir.absolute() / "models", storage),
        remote_eye=_remote_eye(settings, secrets, metrics) if settings.eye_url else None,
    )


def prepare(house: House) -> None:
    """What a start does once: schema, built-in models, the first tools, and the first admin or the code for one."""
    delete_unfinished(_incoming(house))
    migrating.upgrade(house.database)
    publishing.put_in_builtin(house.database, house.shelf)
    house.database.write_now(starting.put_in_first)
    house.setup_code = setup.prepare(house.accounts)


def greeting(house: House, address: str) -> Iterator[str]:
    """What the person at the console needs to know first."""
    yield f"Retinue serves on [bold]{address}[/bold]   (API: {address}/docs)"
    if house.setup_code:
        yield f"Set-up code: [bold]{house.setup_code}[/bold]   It makes the first admin, once: {address}/setup"


def application(house: House, *, takes_chunks: bool = True) -> FastAPI:
    """`takes_chunks`: whether this process also works on jobs; else workers of their own do."""
    parts = Parts(house.settings, house.secrets, house.database, house.metrics, house.health, house.accounts)
    parts.add(house.clock, known_as=Clock)
    parts.add(LEDGER_CHECKS)
    parts.add(house.health, known_as=Readiness)
    parts.add(Face(house.settings, house.secrets))
    parts.add(Lately(house.clock))
    eye = eye_of(house)
    road = _furnish(house, parts, eye)
    house.health.checks |= {"cache": road.cache.check, "eye": lambda: asyncio.to_thread(eye.state)}
    jobs, doors = _jobs(house, road, takes_chunks=takes_chunks), Doors()
    house.health.when_draining.append(doors.close)
    sender = sender_of(house)
    for thing in (jobs, doors, sender):
        parts.add(thing)

    @asynccontextmanager
    async def living() -> AsyncIterator[None]:
        async with eye, doing([*_chores(house), giving_back(when=eye.is_quiet)]):
            warming = asyncio.create_task(_warm(road, house.settings.default_model))
            try:
                async with sender.open(), jobs.open(), parts[Shadow].working():
                    yield
            finally:
                warming.cancel()
                close_broker(jobs.broker)
                await road.cache.close()
                await house.accounts.rates.close()

    gate = partial(
        Gate,
        routers=ROUTERS,
        recognition=house.accounts.recognition,
        rates=house.accounts.rates,
        settings=house.settings,
        refuse=problem_of,
    )
    return build_app(house.settings, parts, [*ROUTERS, *PAGES], living=living, layers=[gate])


async def _warm(road: Road, name: str) -> None:
    """The first caller need not wait for the usual model; one that cannot serve says so to its callers."""
    with suppress(RetinueError, VisionError):
        await road.eye.load((await road.catalog.serving(name)).package)


@asynccontextmanager
async def worker(house: House) -> AsyncIterator[Jobs]:
    """A process that only works on jobs: the eye and a crew, and the eye for other nodes where a port was given."""
    async with eye_of(house, lends=bool(house.settings.eye_port)) as eye:
        road = _road(house, eye)
        jobs = _jobs(house, road, takes_chunks=True)
        try:
            async with doing([giving_back(when=eye.is_quiet)]), jobs.open(), _lending(house, road):
                yield jobs
        finally:
            close_broker(jobs.broker)
            await road.cache.close()


def eye_of(house: House, *, lends: bool = False) -> Engine:
    """The eye of this process: networks run here, or on the servers that the settings name; never elsewhere where this
    is such a server itself."""
    cache, remote, polite = house.shelf.builtin_folder, house.remote_eye, Politeness(house.database.writer_thread)
    if remote is None or lends:
        return Engine(cache=cache, providers=providers_for(house.settings), when_crowded=polite)
    return Engine(cache=cache, elsewhere=remote.session, shape=remote.shape, when_crowded=polite)


def providers_for(settings: Settings) -> Sequence[str]:
    """Where networks run in this process, in onnxruntime's words."""
    try:
        return providers_of(settings.providers)
    except CannotRunThere as refused:
        raise BadSettings(refused.detail) from refused


def _remote_eye(settings: Settings, secrets: Secrets, metrics: Metrics) -> RemoteEye:
    places = Places(settings.eye_url, note_failure=metrics.external_errors.labels("eye").inc)
    token = settings.eye_token.get_secret_value() if settings.eye_token else _token_of_eyes(secrets)
    return RemoteEye(places, token=token, timeout_s=settings.eye_timeout_seconds)


def _token_of_eyes(secrets: Secrets) -> str:
    """Nodes of one house have one secret, and so know it without being told."""
    return secrets.key("eye").hex()


def eye_application(house: House, road: Road) -> FastAPI:
    """The eye of this process as other nodes reach it."""
    parts = Parts(road.catalog, PictureMemory())
    parts.add(road.eye)
    return build_eye_app(parts, eye_routes.routes, token=_token_of_eyes(house.secrets))


def _lending(house: House, road: Road) -> AbstractAsyncContextManager[str | None]:
    settings = house.settings
    if not settings.eye_port:
        return nullcontext()
    return listening(eye_application(house, road), host=settings.host, port=settings.eye_port)


def _jobs(house: House, road: Road, *, takes_chunks: bool) -> Jobs:
    settings = house.settings
    broker = open_broker(settings.broker_url)
    house.health.checks["broker"] = broker_check(broker)
    return Jobs(
        road,
        broker,
        terms=terms_of(settings),
        place=Place(settings.pool, settings.slots) if takes_chunks else None,
        is_only_process=house.database.is_sqlite and not settings.broker_url,
    )


def _chores(house: House) -> Sequence[Chore]:
    days = house.settings.retention_days

    async def sweep_files() -> None:
        await sweeping.sweep(house.database, house.storage, house.clock, retention_days=days)
        await sweep_manifests(house.database, house.storage, house.clock)
        await sweep_packages(house.database, house.storage, house.clock)
        await asyncio.to_thread(house.shelf.sweep)

    return [
        Chore("sweep credits", credits_sweeping.EVERY_S, lambda: credits_sweeping.sweep(house.database)),
        Chore("sweep files", 3600, sweep_files),
        Chore("sweep uploads", 600, lambda: uploads.sweep(uploads_of(house))),
        Chore("sweep sessions", 3600, lambda: house.database.write(sessions.sweep)),
    ]


def _furnish(house: House, parts: Parts, eye: Engine) -> Road:
    """What the routes of media, catalog and predictions work with."""
    settings, prices = house.settings, prices_of(house.settings)
    links = Links(house.secrets, house.clock)
    catalog = Catalog(house.database, house.shelf)
    incoming = settings.data_dir.absolute() / "incoming"
    publisher = Publisher(house.database, house.shelf, work_folder=incoming)
    shadow = Shadow(house.database, catalog, eye, house.metrics)
    road = replace(_road(house, eye, catalog), observer=shadow)
    desk = Desk(
        road,
        links,
        settings,
        PictureMemory(),
        compare=lambda kit_id: kits.open_kit(house.database, kit_id),
        is_signed=loans.is_signed,
        later=lambda asks, caller, once: look_later(parts[Jobs], settings.pool, asks, caller, once),
    )
    parts.add(house.storage, known_as=Storage)
    parts.add(Darkroom(house.storage))
    parts.add(Intake(publisher, Sources(Fetcher()), incoming))
    parts.add(uploads_of(house))
    parts.add(importer_of(house))
    for thing in (eye, prices, links, catalog, desk, shadow):
        parts.add(thing)
    return road


def _road(house: House, eye: Engine, catalog: Catalog | None = None) -> Road:
    return Road(
        database=house.database,
        storage=house.storage,
        catalog=catalog or Catalog(house.database, house.shelf),
        eye=eye,
        cache=open_cache(house.settings.cache_url, house.metrics),
        prices=prices_of(house.settings),
        clock=house.clock,
        metrics=house.metrics,
    )


def uploads_of(house: House) -> Uploads:
    return Uploads(house.database, house.storage, _quota(house), house.clock, _incoming(house))


def sender_of(house: House) -> Sender:
    """What tells webhooks. Addresses of this house itself are nobody's to reach, by whatever name."""
    settings = house.settings
    own_names = [host] if (host := urlsplit(settings.public_url).hostname) else []
    return Sender(
        house.database,
        Fetcher(allow=networks_of(settings.webhook_allow), own_names=own_names),
        Signing(house.secrets),
        house.clock,
        house.metrics,
        low_below=as_hundredths(settings.credits_low),
    )


def importer_of(house: House) -> Importer:
    """What takes files into datasets."""
    prices = prices_of(house.settings)
    return Importer(house.database, house.storage, prices, _quota(house), house.clock, _incoming(house))


def _quota(house: House) -> Quota:
    return Quota(house.settings.user_storage_mib << 20, house.settings.user_files)


def _incoming(house: House) -> Path:
    return house.settings.data_dir.absolute() / "incoming"
