"""
DOOR for monitoring: /metrics, in Prometheus' text format.

No label holds what a caller sends: routes are templates, methods and statuses the known ones, pages of PlanSo the kinds
that a profile names. So the number of series is bounded, and no series tells of a person.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import accumulate

from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from planso_connector import __version__
from planso_connector.flows.operating.statistics import Statistics

_PREFIX = "planso_connector_"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
_PLANSO_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

# A series beside each counter, that says when this process began.
disable_created_metrics()  # type: ignore[no-untyped-call]

SYNC_STATES = ("idle", "running", "failed")


class Metrics:
    """Lives as long as one connector, whose registry it is. What is counted here begins at 0 with each start."""

    def __init__(
        self,
        lines_lost: Callable[[], int] = lambda: 0,
        worker_restarts: Callable[[], dict[str, int]] = dict,
        heartbeat_ages: Callable[[], dict[str, float]] = dict,
    ) -> None:
        """`lines_lost`: of the log. `worker_restarts`, `heartbeat_ages` in seconds: by name of the worker."""
        self._registry = CollectorRegistry()
        self._in_flight = 0
        self._figures: Statistics | None = None
        self._requests = _RequestCollector()
        self._registry.register(self._requests)
        self._refused = Counter(
            f"{_PREFIX}requests_refused",
            "Requests that were refused before they were looked at: 429 and 503 for too many, 400, 403, 413, 421.",
            ["status"],
            registry=self._registry,
        )
        self._planso = Counter(
            f"{_PREFIX}planso_requests",
            "Requests to PlanSo, by kind of page and how they ended.",
            ["page", "outcome"],
            registry=self._registry,
        )
        self._logins = Counter(
            f"{_PREFIX}planso_logins", "Logins that PlanSo decided, by outcome.", ["outcome"], registry=self._registry
        )
        self._planso_seconds = Histogram(
            f"{_PREFIX}planso_seconds",
            "From a request to PlanSo to the end of its answer, or of the wait for it.",
            ["page"],
            registry=self._registry,
            buckets=_PLANSO_BUCKETS,
        )
        self._registry.register(_StatisticsCollector(lambda: self._figures, lambda: self._in_flight))
        self._registry.register(_RuntimeCollector(lines_lost, worker_restarts, heartbeat_ages))
        ProcessCollector(registry=self._registry)

    def record_request_start(self) -> None:
        self._in_flight += 1

    def record_request_end(self, method: str, route: str, status: int, seconds: float) -> None:
        """`status` 0: the caller left before an answer began."""
        self._in_flight -= 1
        self._requests.note(method if method in _METHODS else "other", route, status, seconds)

    def record_refusal(self, status: int) -> None:
        self._refused.labels(str(status)).inc()

    def record_planso_request(self, page: str, outcome: str, seconds: float) -> None:
        self._planso.labels(page, outcome).inc()
        self._planso_seconds.labels(page).observe(seconds)

    def record_planso_login(self, *, accepted: bool) -> None:
        self._logins.labels("accepted" if accepted else "rejected").inc()

    def render(self, figures: Statistics) -> bytes:
        self._figures = figures
        return generate_latest(self._registry)


class _RequestCollector(Collector):
    """
    Requests answered, and how long they took. The library's own counters take a lock for each figure, several times as
    long as all of this; here one thread counts, and the same one tells.
    """

    def __init__(self) -> None:
        self._answered: dict[tuple[str, str, int], int] = {}
        self._took: dict[tuple[str, str], tuple[list[int], list[float]]] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        answered = method, route, status
        self._answered[answered] = self._answered.get(answered, 0) + 1
        took = self._took.get((method, route))
        if took is None:
            took = self._took[method, route] = [0] * (len(_REQUEST_BUCKETS) + 1), [0.0]
        took[0][bisect_left(_REQUEST_BUCKETS, seconds)] += 1
        took[1][0] += seconds

    def collect(self) -> Iterator[Metric]:
        labels = ["method", "route", "status"]
        answered = CounterMetricFamily(_PREFIX + "requests", "Requests answered.", labels=labels)
        for (method, route, status), count in self._answered.items():
            answered.add_metric([method, route, str(status)], count)
        yield answered
        took = HistogramMetricFamily(
            _PREFIX + "request_seconds",
            "From a request's arrival to the end of its answer; waits that the caller asked for are in it.",
            labels=labels[:2],
        )
        bounds = [*map(str, _REQUEST_BUCKETS), "+Inf"]
        for (method, route), (counts, (seconds,)) in self._took.items():
            took.add_metric([method, route], list(zip(bounds, accumulate(counts), strict=True)), seconds)
        yield took


class _StatisticsCollector(Collector):
    """What is not counted but looked at, each time it is asked for."""

    def __init__(self, figures: Callable[[], Statistics | None], in_flight: Callable[[], int]) -> None:
        self._figures = figures
        self._in_flight = in_flight

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(_PREFIX.rstrip("_"), "The version that runs.", {"version": __version__})
        yield _gauge("requests_in_flight", "Requests being answered, this one among them.", self._in_flight())
        figures = self._figures()
        if figures is None:
            return
        checks = {check.name: int(check.ok) for check in figures.readiness.checks}
        yield _gauge("ready", "Whether GET /health/ready is 200.", int(figures.readiness.is_ready))
        yield _labelled_gauge("check_ok", "Whether each of its checks is ok.", "check", checks)
        yield _gauge("planso_sessions", "Sessions with PlanSo that are open, 2 at most.", figures.planso_sessions)
        yield _gauge("planso_in_flight", "Requests to PlanSo under way.", figures.planso_in_flight)
        yield _gauge("planso_waiting", "Requests to PlanSo that wait for their turn.", figures.planso_waiting)
        yield _gauge("planso_allowed", "Requests to PlanSo that may be under way now.", figures.planso_allowed)
        yield _gauge("requests_waiting", "Requests of callers that wait for PlanSo.", figures.requests_waiting)
        waiting = figures.database_waiting
        yield _labelled_gauge("database_waiting", "Units of work that wait for the database.", "kind", waiting)
        silent = "Since the database answered last, where what was asked since got no answer; 0: it answers."
        yield _gauge("database_silent_seconds", silent, figures.database_silent)
        missed = "Reads and writes that were given up because the database did not answer."
        unanswered = CounterMetricFamily(_PREFIX + "database_unanswered", missed, labels=["kind"])
        for kind, count in figures.database_missed.items():
            unanswered.add_metric([kind], count)
        yield unanswered
        ahead = "By how much this machine's clock is ahead of the database's; 0 with SQLite."
        yield _gauge("clock_ahead_seconds", ahead, figures.clock_ahead)
        held = figures.database
        if held is None:
            return
        yield _labelled_gauge("orders", "Orders in the mirror; counted once a minute.", "state", held.orders)
        done = 1.0 if held.rebuild is None else held.rebuild.done / max(1, held.rebuild.all or 0)
        yield _gauge("index_done_ratio", "Share of the orders that look-ups find; 1: no rebuild is under way.", done)
        yield _labelled_gauge(
            "operations", "Writes ever asked for; counted once a minute, but for `pending`.", "state", held.operations
        )
        yield _gauge(
            "operation_oldest_pending_seconds", "Age of the oldest pending write, 0: none.", held.oldest_pending
        )
        stopped = "1 while a save's damage stops the workshop's writes, until a person resumes them."
        yield _gauge("writes_stopped", stopped, int(held.writes_stopped))
        yield _gauge("writes_stopped_orders", "Orders whose own writes are stopped.", held.stopped_orders)
        if held.last_success is not None:
            yield _gauge("sync_last_success_timestamp_seconds", "End of the last good sync.", held.last_success)
        states = {state: int(state == held.sync.state) for state in SYNC_STATES}
        yield _labelled_gauge(
            "sync_state", "1 for the state that the sync is in, as GET /api/sync/status.", "state", states
        )
        if (last := held.sync.last_run) is not None:
            yield _gauge("sync_last_failed_orders", "Orders that the last sync could not read.", len(last.failed))
            yield _gauge("sync_last_doubts", "Things that seem to have moved on PlanSo's pages.", len(last.doubts))
            yield _gauge("sync_last_requests", "Requests to PlanSo of the last sync.", last.requests)


class _RuntimeCollector(Collector):
    """What the log and the background loops say of themselves."""

    def __init__(
        self,
        lines_lost: Callable[[], int],
        restarts: Callable[[], dict[str, int]],
        heartbeat_ages: Callable[[], dict[str, float]],
    ) -> None:
        self._lines_lost = lines_lost
        self._restarts = restarts
        self._heartbeat_ages = heartbeat_ages

    def collect(self) -> Iterator[Metric]:
        lost = "Lines of the log that could not be written."
        yield CounterMetricFamily(_PREFIX + "log_lines_lost", lost, self._lines_lost())
        again = "Background loops that ended by a fault and were restarted."
        restarts = CounterMetricFamily(_PREFIX + "worker_restarts", again, labels=["worker"])
        for worker, count in self._restarts().items():
            restarts.add_metric([worker], count)
        yield restarts
        ages = "Since a background loop showed that it goes on; the check `workers` says whether that is too long."
        yield _labelled_gauge("worker_heartbeat_age_seconds", ages, "worker", self._heartbeat_ages())


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, meaning, value)


def _labelled_gauge(name: str, meaning: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(_PREFIX + name, meaning, labels=[label])
    for member, value in values.items():
        family.add_metric([member], value)
    return family


def routes(metrics: Metrics, figures: Callable[[], Awaitable[Statistics]]) -> APIRouter:
    """Where keys are asked for, this route wants one: it is a router of its own for that."""
    router = APIRouter(tags=["health"])

    # Not in the document of the API: it is not JSON, and no program of a caller's reads it.
    @router.get("/metrics", include_in_schema=False)
    async def tell() -> Response:
        """What docs/operating.md lists. Where the database can't tell, what it would tell is left out."""
        text = metrics.render(await figures())
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
