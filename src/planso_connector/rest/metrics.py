"""
What /metrics shows, in Prometheus' text format.

Labels hold nothing that a caller sends: routes are templates, methods and statuses known ones, pages of PlanSo the
kinds that a profile names. So the number of series is bounded, and no series has personal data.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import (
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
from planso_connector.flows.operating.installation_statistics import MAX_NAMED, InstallationStatistics
from planso_connector.flows.operating.statistics import DatabaseStatistics, Statistics

_PREFIX = "planso_connector_"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
_PLANSO_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_TOOL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)

# No extra series with the creation time of each counter.
disable_created_metrics()  # type: ignore[no-untyped-call]

SYNC_STATES = ("idle", "running", "failed")


class Metrics(Collector):
    """Counts from 0 since the start of the process. The registry is its own, so that tests can have several."""

    def __init__(
        self,
        get_lost_lines: Callable[[], int] = lambda: 0,
        get_worker_restarts: Callable[[], dict[str, int]] = dict,
        get_heartbeat_ages: Callable[[], dict[str, float]] = dict,
    ) -> None:
        """Restarts and heartbeat ages, in seconds, are by name of the worker; lost lines are of the log."""
        self._get_lost_lines = get_lost_lines
        self._get_worker_restarts = get_worker_restarts
        self._get_heartbeat_ages = get_heartbeat_ages
        self._in_flight = 0
        self._statistics: Statistics | None = None
        self._installation: InstallationStatistics | None = None
        self._requests = _RequestCollector()
        self._registry = CollectorRegistry()
        self._registry.register(self._requests)
        self._refusals = Counter(
            f"{_PREFIX}requests_refused",
            "Requests refused before they were looked at: 429 and 503 for too many, 400, 403, 413, 421.",
            ["status"],
            registry=self._registry,
        )
        self._planso_requests = Counter(
            f"{_PREFIX}planso_requests",
            "Requests to PlanSo, by kind of page and how they ended.",
            ["page", "outcome"],
            registry=self._registry,
        )
        self._planso_logins = Counter(
            f"{_PREFIX}planso_logins", "Logins that PlanSo decided, by outcome.", ["outcome"], registry=self._registry
        )
        self._planso_seconds = Histogram(
            f"{_PREFIX}planso_seconds",
            "From a request to PlanSo to the end of its response, or of the wait for it.",
            ["page"],
            registry=self._registry,
            buckets=_PLANSO_BUCKETS,
        )
        self._tool_calls = Counter(
            f"{_PREFIX}tool_calls",
            "Calls of tools by agents: `ok`, or why it was not done.",
            ["tool", "outcome"],
            registry=self._registry,
        )
        self._tool_seconds = Histogram(
            f"{_PREFIX}tool_seconds",
            "From a tool's call to its answer.",
            ["tool"],
            registry=self._registry,
            buckets=_TOOL_BUCKETS,
        )
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def record_request_start(self) -> None:
        self._in_flight += 1

    def record_request_end(self) -> None:
        self._in_flight -= 1

    def record_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """`status` 0: the caller left before the response started."""
        self._requests.record(method if method in _METHODS else "other", route, status, seconds)

    def record_refusal(self, status: int) -> None:
        self._refusals.labels(str(status)).inc()

    def record_planso_request(self, page: str, outcome: str, seconds: float) -> None:
        self._planso_requests.labels(page, outcome).inc()
        self._planso_seconds.labels(page).observe(seconds)

    def record_planso_login(self, *, accepted: bool) -> None:
        self._planso_logins.labels("accepted" if accepted else "rejected").inc()

    def record_tool_call(self, tool: str, outcome: str, seconds: float) -> None:
        self._tool_calls.labels(tool, outcome).inc()
        self._tool_seconds.labels(tool).observe(seconds)

    def render(self, statistics: Statistics | None, installation: InstallationStatistics | None = None) -> bytes:
        """`statistics`: of the workshop of who asks; `installation`: of all, for who may see them."""
        self._statistics, self._installation = statistics, installation
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What is not counted but read at each request."""
        yield InfoMetricFamily(_PREFIX.rstrip("_"), "The version that runs.", {"version": __version__})
        yield _gauge("requests_in_flight", "Requests in flight, this one among them.", self._in_flight)
        if self._statistics is not None:
            yield from _collect_statistics(self._statistics)
        if self._installation is not None:
            yield from _collect_installation(self._installation)
        lost = "Lines of the log that could not be written."
        yield CounterMetricFamily(_PREFIX + "log_lines_lost", lost, self._get_lost_lines())
        restarts = "Background loops that failed and were restarted."
        yield _counters("worker_restarts", restarts, "worker", self._get_worker_restarts())
        ages = "Since the last heartbeat of a background loop; the check `workers` says whether that is too long."
        yield _gauges("worker_heartbeat_age_seconds", ages, "worker", self._get_heartbeat_ages())


class _RequestCollector(Collector):
    """
    Requests and how long they took. Counted without a lock, in one thread: the library's own counters lock for each
    value, which takes several times as long as all of this.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        """By method and route: the requests in each bucket, and the sum of their seconds."""

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        key = method, route, status
        self._counts[key] = self._counts.get(key, 0) + 1
        histogram = self._seconds.get((method, route))
        if histogram is None:
            histogram = self._seconds[method, route] = [0] * (len(_REQUEST_BUCKETS) + 1), [0.0]
        histogram[0][bisect_left(_REQUEST_BUCKETS, seconds)] += 1
        histogram[1][0] += seconds

    def collect(self) -> Iterator[Metric]:
        labels = ["method", "route", "status"]
        requests = CounterMetricFamily(_PREFIX + "requests", "Requests answered.", labels=labels)
        for (method, route, status), count in self._counts.items():
            requests.add_metric([method, route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            _PREFIX + "request_seconds",
            "From a request's arrival to the end of its response; waits that the caller asked for are included.",
            labels=labels[:2],
        )
        bounds = [*map(str, _REQUEST_BUCKETS), "+Inf"]
        for (method, route), (counts, (total,)) in self._seconds.items():
            seconds.add_metric([method, route], list(zip(bounds, accumulate(counts), strict=True)), total)
        yield seconds


def _collect_statistics(statistics: Statistics) -> Iterator[Metric]:
    checks = {check.name: int(check.ok) for check in statistics.readiness.checks}
    yield _gauge("ready", "Whether GET /health/ready is 200.", int(statistics.readiness.is_ready))
    yield _gauges("check_ok", "Whether each of its checks is ok.", "check", checks)
    yield _gauge("planso_sessions", "Open sessions with PlanSo, 2 at most.", statistics.planso_sessions)
    yield _gauge("planso_in_flight", "Requests to PlanSo in flight.", statistics.planso_in_flight)
    yield _gauge("planso_waiting", "Requests to PlanSo that wait for the throttle.", statistics.planso_waiting)
    yield _gauge("planso_allowed", "Requests to PlanSo that may be in flight now.", statistics.planso_allowed)
    yield _gauge("requests_waiting", "Requests of callers that wait for PlanSo.", statistics.requests_waiting)
    queued = "Units of work that wait for the database."
    yield _gauges("database_waiting", queued, "kind", statistics.database_waiting)
    silent = "Since the database last answered, if what was asked since got no answer; 0: it answers."
    yield _gauge("database_silent_seconds", silent, statistics.database_silent)
    missed = "Reads and writes that were given up because the database did not answer."
    yield _counters("database_unanswered", missed, "kind", statistics.database_missed)
    ahead = "By how much this machine's clock is ahead of the database's; 0 with SQLite."
    yield _gauge("clock_ahead_seconds", ahead, statistics.clock_ahead)
    if statistics.database is not None:
        yield from _collect_database(statistics.database)


def _collect_database(held: DatabaseStatistics) -> Iterator[Metric]:
    yield _gauges("orders", "Orders in the mirror; counted once a minute.", "state", held.orders)
    done = 1.0 if held.rebuild is None else held.rebuild.done / max(1, held.rebuild.all or 0)
    yield _gauge("index_done_ratio", "Share of the orders that lookups find; 1: no rebuild is running.", done)
    operations = "All writes ever accepted; counted once a minute, but for `pending`."
    yield _gauges("operations", operations, "state", held.operations)
    yield _gauge("operation_oldest_pending_seconds", "Age of the oldest pending write, 0: none.", held.oldest_pending)
    stopped = "1 while a save's damage stops the workshop's writes, until a person resumes them."
    yield _gauge("writes_stopped", stopped, int(held.writes_stopped))
    yield _gauge("writes_stopped_orders", "Orders whose own writes are stopped.", held.stopped_orders)
    if held.last_success is not None:
        yield _gauge("sync_last_success_timestamp_seconds", "End of the last good sync.", held.last_success)
    states = {state: int(state == held.sync.state) for state in SYNC_STATES}
    yield _gauges("sync_state", "1 for the state of the sync, as in GET /api/sync/status.", "state", states)
    if (last := held.sync.last_run) is not None:
        yield _gauge("sync_last_failed_orders", "Orders that the last sync could not read.", len(last.failed))
        yield _gauge("sync_last_doubts", "Values and labels the last sync found changed.", len(last.doubts))
        yield _gauge("sync_last_requests", "Requests to PlanSo of the last sync.", last.requests)


def _collect_installation(held: InstallationStatistics) -> Iterator[Metric]:
    yield _gauges("workshops", "Workshops of the installation.", "state", held.workshops)
    yield _gauges("workshop_faults", "Workshops that don't work, by why.", "fault", held.faults)
    ages = f"Since a workshop's last good sync; of the {MAX_NAMED} for which it is the longest."
    yield _gauges("workshop_sync_age_seconds", ages, "workshop", held.sync_ages)
    pending = f"Age of a workshop's oldest pending write; of the {MAX_NAMED} with the oldest."
    yield _gauges("workshop_oldest_pending_seconds", pending, "workshop", held.pending_ages)
    stopped = f"1 for workshops whose writes are all stopped; {MAX_NAMED} at most."
    yield _gauges("workshop_writes_stopped", stopped, "workshop", dict.fromkeys(held.stopped, 1))


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, documentation, value)


def _gauges(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, documentation, labels=[label])
    for member, value in values.items():
        family.add_metric([member], value)
    return family


def _counters(name: str, documentation: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, documentation, labels=[label])
    for member, value in values.items():
        family.add_metric([member], value)
    return family
