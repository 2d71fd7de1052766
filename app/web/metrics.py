"""What /metrics shows, summed over the worker processes by the Prometheus client."""

import os
from collections.abc import Sequence

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from app.core.inbound import Outcome

_REQUESTS = Histogram(
    "optout_http_request_seconds",
    "Time to answer a request",
    ["route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
_INBOUND = Counter(
    "optout_inbound_messages", "Texts received, by what they meant", ["meaning", "answer"]
)
_SENDS = Counter("optout_sends", "Messages asked for, by what became of them", ["result"])


def count_request(route: str, status: int, seconds: float) -> None:
    _REQUESTS.labels(route, status).observe(seconds)


def count_inbound(outcome: Outcome) -> None:
    answer = "repeated" if outcome.repeated else (outcome.silence or "reply")
    _INBOUND.labels(outcome.meaning.intent, answer).inc()


def count_send(result: str) -> None:
    _SENDS.labels(result).inc()


def exposition(
    watermark_age: float | None = None, duties: Sequence[tuple[str, int, float]] = ()
) -> bytes:
    """The text format. `watermark_age`: seconds, as the database tells it at this moment.

    `duties`: what the law puts a date on, how many are open, in how many seconds the first is late.
    """
    told = []
    if duties:
        count = GaugeMetricFamily("optout_due", "Duties with a date, open", labels=["duty"])
        left = GaugeMetricFamily("optout_due_seconds", "Until the first is late", labels=["duty"])
        for duty, number, seconds in duties:
            count.add_metric([duty], number)
            left.add_metric([duty], seconds)
        told += [count, left]
    if watermark_age is not None:
        name = "optout_watermark_age_seconds"
        told.append(GaugeMetricFamily(name, "Since when texts may be missing", watermark_age))
    return _counted() + generate_latest(_AtThisMoment(told))


class _AtThisMoment:
    """What was just read. The client's own gauges would be kept, a value for each process."""

    def __init__(self, told: Sequence[Metric]) -> None:
        self._told = told

    def collect(self) -> Sequence[Metric]:
        return self._told


def _counted() -> bytes:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
