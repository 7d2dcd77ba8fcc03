"""What the service counts, in a registry of its own.

Every label has a bounded set of values: a path that no operation has counts as `unmatched`, a
method that HTTP does not know as `OTHER`.
"""

import platform
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import app

UNMATCHED = "unmatched"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
_LATENCY_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
)  # fmt: skip

_TOGETHER_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

Status = Callable[[], Mapping[str, int]]


class Metrics:
    """The metrics of one application. `exposition` is what a scrape reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "factory_http_requests",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "factory_http_request_duration_seconds",
            "From a request's first byte to its response's last.",
            ["route"],
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        outcomes = Counter(
            "factory_outcomes",
            "What composing came to, by outcome; items of a bulk count one by one.",
            ["outcome"],
            registry=self.registry,
        )
        self._outcome = cache(outcomes.labels)
        self._refusals = Counter(
            "factory_refusals",
            "Requests refused, by code.",
            ["code"],
            registry=self.registry,
        )
        self._deliveries = Counter(
            "factory_delivery_attempts",
            "Attempts to send a message, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self._together = Histogram(
            "factory_compose_call_items",
            "Requests that one composing call carried together.",
            buckets=_TOGETHER_BUCKETS,
            registry=self.registry,
        )
        Info("factory_build", "The program that runs.", registry=self.registry).info(
            {"version": app.__version__, "python": platform.python_version()}
        )
        self._now = _Now()
        self.registry.register(self._now)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count one answered request and how long it took."""
        key = (route or UNMATCHED, method if method in _METHODS else "OTHER", status)
        series = self._series.get(key)
        if series is None:
            # Looking the labels up costs more than counting, so it is done once for each series.
            series = self._requests.labels(*map(str, key)), self._latency.labels(key[0])
            self._series[key] = series
        requests, latency = series
        requests.inc()
        latency.observe(seconds)

    def refusal(self, code: str) -> None:
        """Count one refused request."""
        self._refusals.labels(code).inc()

    def outcome(self, outcome: str, times: int = 1) -> None:
        """Count what composing came to: composed, idempotent_replay, dry_run."""
        self._outcome(outcome).inc(times)

    def delivery_attempt(self, outcome: str) -> None:
        """Count one attempt to send a message: delivered, failed, not_sent."""
        self._deliveries.labels(outcome).inc()

    def composing_call(self, items: int) -> None:
        """Count one composing call and the requests that it carries."""
        self._together.observe(items)

    def watch(self, pool: Status, coalescer: Status) -> None:
        """Read gauges at every scrape from two functions that ask no database.

        The pool's answers `size`, `checked_out` and `running`, the coalescer's `unanswered` and
        `waiting`.
        """
        self._now.pool, self._now.coalescer = pool, coalescer

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the format that the scraper accepts, and its media type."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type


class _Now(Collector):
    def __init__(self) -> None:
        self.pool: Status | None = None
        self.coalescer: Status | None = None

    def collect(self) -> Iterable[Metric]:
        """How it is at this moment; nothing before the application has begun."""
        if self.pool is None or self.coalescer is None:
            return
        pool, coalescer = self.pool(), self.coalescer()
        yield _gauge(
            "factory_db_pool_connections",
            "Connections of this process.",
            {"limit": pool["size"], "in_use": pool["checked_out"]},
        )
        yield GaugeMetricFamily(
            "factory_db_transactions_running", "Transactions under way.", value=pool["running"]
        )
        under_way = coalescer["unanswered"] - coalescer["waiting"]
        yield _gauge(
            "factory_compose_requests",
            "Composing requests that have no answer yet.",
            {"waiting": coalescer["waiting"], "under_way": under_way},
        )


def _gauge(name: str, help_: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, help_, labels=["state"])
    for state, value in values.items():
        gauge.add_metric([state], value)
    return gauge
