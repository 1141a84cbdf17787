"""What the house says about itself: one log line per event (JSON unless a person watches) and Prometheus metrics."""

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LONGEST_VALUE = 2048
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def start_logging(*, level: str, file: Path | None = None) -> None:
    stream = file.open("a", encoding="utf-8") if file else sys.stdout
    watched = file is None and sys.stdout.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _one_safe_line,
    ]
    # Plain: the pretty one prints local variables, and with them headers and secrets.
    shown: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if watched
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, shown],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


class _ToStructlog(logging.Handler):
    """Libraries speak through the standard library; their lines join ours."""

    def emit(self, record: logging.LogRecord) -> None:
        told = structlog.get_logger(record.name)
        told.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _one_safe_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A name sent by a stranger can neither forge a second line nor colour a terminal nor fill the disk."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _CONTROL.sub(lambda bad: f"\\x{ord(bad[0]):02x}", value[:LONGEST_VALUE])
    return event


class Metrics:
    """Every metric the server exports. Labels come from small closed sets: route templates, never raw paths."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "retinue_http_requests_total", "HTTP requests", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "retinue_http_request_seconds",
            "Time to answer an HTTP request",
            ["method", "route"],
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self.in_flight = Gauge("retinue_http_requests_in_flight", "HTTP requests under way", registry=registry)
        self.shed = Counter("retinue_shed_total", "Requests refused to protect the rest", ["reason"], registry=registry)
        self.predictions = Counter(
            "retinue_predictions_total", "Predictions", ["model", "version", "source", "outcome"], registry=registry
        )
        self.shadow = Counter(
            "retinue_shadow_total", "Live pictures that a candidate should answer too", ["outcome"], registry=registry
        )
        self.stage_seconds = Histogram(
            "retinue_stage_seconds",
            "Time one picture spends in a stage of its prediction",
            ["stage"],
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
        )
        self.queue_depth = Gauge("retinue_queue_depth", "Pictures waiting for a model", ["model"], registry=registry)
        self.webhook_tries = Counter(
            "retinue_webhook_tries_total", "Messages sent to webhooks", ["outcome"], registry=registry
        )
        self.external_errors = Counter(
            "retinue_external_errors_total", "Failures of a part we depend on", ["part"], registry=registry
        )
