"""How a pointer to a chunk gets to a worker: in this process by default, through Redis or RabbitMQ between several.

Dramatiq carries it. It keeps nothing of value, retries nothing and times nothing: a message that is lost, late or
doubled is the database's business.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import dramatiq
from dramatiq.broker import Broker
from dramatiq.brokers.stub import StubBroker

from retinue.base.errors import Invalid
from retinue.jobs.chunks import Lease
from retinue.jobs.dispatching import Sending

ACTOR = "run_chunk"
NAMESPACE = "retinue"
POOLS = ("cpu", "gpu")
HEARTBEAT_MS = 60_000
IDLE_MS = 100  # how long a thread that found nothing sleeps: 154–714 ms of delay were measured with the default of 1 s


class BadBrokerUrl(Invalid):
    code = "bad-broker-url"
    title = "The broker is redis://…, rediss://…, amqp://… or amqps://…, or nothing for one in memory"


def open_broker(url: str) -> Broker:
    """Its own middleware stays off: it would run a chunk again, or stop one in the middle, without asking anybody."""
    kind = url.partition(":")[0]
    broker: Broker
    if not url:
        broker = StubBroker(middleware=[])
    elif kind in {"redis", "rediss"}:
        from dramatiq.brokers import redis

        make: Any = redis.RedisBroker  # its constructor has no types
        broker = make(url=_with_patience(url), middleware=[], namespace=NAMESPACE, heartbeat_timeout=HEARTBEAT_MS)
    elif kind in {"amqp", "amqps"}:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        broker = RabbitmqBroker(url=url, middleware=[])
    else:
        raise BadBrokerUrl()
    return broker


class Post:
    """Sends pointers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        for pool in POOLS:
            broker.declare_queue(queue_of(pool))

    def send(self, sending: Sending) -> None:
        lease = sending.lease
        self._broker.enqueue(
            dramatiq.Message(
                queue_name=queue_of(sending.pool),
                actor_name=ACTOR,
                args=(lease.job_id, lease.number, lease.epoch),
                kwargs={},
                options={},
            )
        )


class Crew:
    """The threads of this process that take messages: each waits for a chunk that the event loop works on."""

    def __init__(self, broker: Broker, *, pool: str, slots: int, work: Callable[[Lease], Awaitable[None]]) -> None:
        self._broker = broker
        self._pool = pool
        self._work = work
        self._worker = dramatiq.Worker(broker, queues={queue_of(pool)}, worker_threads=slots, worker_timeout=IDLE_MS)

    def start(self) -> None:
        loop = asyncio.get_running_loop()

        def run_chunk(job_id: str, number: int, epoch: int) -> None:
            async def work() -> None:
                await self._work(Lease(job_id, number, epoch))

            asyncio.run_coroutine_threadsafe(work(), loop).result()

        dramatiq.actor(actor_name=ACTOR, queue_name=queue_of(self._pool), broker=self._broker)(run_chunk)
        self._worker.start()

    async def stop(self) -> None:
        """Lets what is at work end, and hands what was only fetched back to the broker."""
        await asyncio.to_thread(self._worker.stop)


def queue_of(pool: str) -> str:
    return f"jobs.{pool}"


def is_in_memory(broker: Broker) -> bool:
    return isinstance(broker, StubBroker)


def broker_check(broker: Broker) -> Callable[[], Awaitable[None]]:
    """In memory there is nothing that could be away."""

    async def check() -> None:
        client: Any = getattr(broker, "client", None)
        if client is not None:
            await asyncio.to_thread(client.ping)

    return check


def close(broker: Broker) -> None:
    broker.close()
    client: Any = getattr(broker, "client", None)
    if client is not None:
        client.close()


def _with_patience(url: str) -> str:
    """A half-open connection would stall a consumer for ever without saying so."""
    return url + ("&" if "?" in url else "?") + "socket_timeout=10&socket_connect_timeout=5&socket_keepalive=true"
