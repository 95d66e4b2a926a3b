"""How the installation is: what /readyz, /metrics and `manage.py doctor` look at."""

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.db import DatabaseError, OperationalError, connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Aggregate, Count, Min, Sum
from django.db.models.functions import Coalesce
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chat.models import ImageJob
from chat.types import Progress
from config.celery import app
from config.checks import list_forgetful
from core import clock
from gateway import telemetry
from gateway.errors import UpstreamError
from gateway.models import Upstream
from gateway.services import list_offered_models
from gateway.types import ProviderKind
from quotas.selectors import list_open
from usage.models import UsageRecord

RECENT = timedelta(minutes=5)
SILENCE_SECONDS = 2.0  # until a database counts as away
_TURN_MILLISECONDS = 1000  # until whoever keeps writing to SQLite counts as in everybody's way
LEAST_ROOM = 32 * 1024 * 1024  # bytes free on the disk of an SQLite database

_prober = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prober")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and in words how it is."""

    name: str
    is_well: bool
    words: str


def examine_readiness() -> list[Finding]:
    """What must be well before a request is worth answering: the database takes writes, and has its migrations.

    Told within seconds, also when the database says nothing at all (contract, C40). Redis is not among it: its loss
    makes nobody wait and no quota wrong.
    """
    looking = _prober.submit(_see_readiness)
    try:
        return looking.result(SILENCE_SECONDS)
    except TimeoutError:
        looking.cancel()  # has it begun, it ends when the database speaks again, and those behind it begin
        return [Finding("database", is_well=False, words="says nothing")]


def _see_readiness() -> list[Finding]:
    try:
        database = _look("database", _see_database, DatabaseError)
        return [database, _look("migrations", _see_migrations, DatabaseError)] if database.is_well else [database]
    finally:
        connections.close_all()


def examine_everything() -> list[Finding]:
    """What an operator wants to know when something is wrong."""
    findings = [_look("configuration", _see_configuration, ValueError), *examine_readiness()]
    findings.append(_look("broker", _see_broker, Exception))
    if all(finding.is_well for finding in findings[:3]):
        findings += [
            _look(str(upstream), partial(_see_upstream, upstream), ConnectionError) for upstream in _upstreams()
        ]
    return findings


def _look(name: str, see: Callable[[], str], trouble: type[Exception] | tuple[type[Exception], ...]) -> Finding:
    try:
        return Finding(name, is_well=True, words=see())
    except trouble as error:
        return Finding(name, is_well=False, words=str(error).strip() or type(error).__name__)


def _see_configuration() -> str:
    problems = [str(message.msg) for message in run_checks() if message.level >= ERROR]
    if problems:
        raise ValueError(" ".join(problems))
    return "no contradictions"


def _see_database() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("select current_setting('transaction_read_only')")
            if cursor.fetchone() == ("on",):
                raise DatabaseError("The database takes no writes: it is read-only, or a standby.")
            for why in list_forgetful():
                raise DatabaseError(why)
        else:
            _take_a_turn(cursor)
            if shutil.disk_usage(settings.DATA_DIR).free < LEAST_ROOM:
                raise DatabaseError(f"The disk of {settings.DATA_DIR} is full.")
    return connection.vendor


def _take_a_turn(cursor: CursorWrapper) -> None:
    """Begin to write to SQLite; to miss a turn is well while others have theirs, and their writes arrive."""
    cursor.execute(f"pragma busy_timeout = {_TURN_MILLISECONDS}")
    before = _count_others_commits(cursor)
    try:
        cursor.execute("begin immediate")
        cursor.execute("pragma user_version = 0")  # on a read-only one it is this that fails
        cursor.execute("rollback")
    except OperationalError:
        if _count_others_commits(cursor) == before:
            raise


def _count_others_commits(cursor: CursorWrapper) -> int:
    return int(cursor.execute("pragma data_version").fetchone()[0])


def _see_migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise DatabaseError(f"{len(missing)} migrations are not applied: run manage.py migrate.")
    return "all applied"


def _see_broker() -> str:
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
        return str(broker.transport.driver_type)


def _upstreams() -> Iterable[Upstream]:
    speaking = Upstream.objects.filter(is_enabled=True, provider__is_enabled=True).select_related("provider")
    return speaking.exclude(provider__kind=ProviderKind.PLACEHOLDER)


def _see_upstream(upstream: Upstream) -> str:
    try:
        return f"{len(list_offered_models(upstream))} models"
    except UpstreamError as error:
        raise ConnectionError(f"does not list its models ({error.code}); the log says more.") from error


class Figures(Collector):
    """What the database knows, read at each scrape; the rest of the figures is there without it."""

    def collect(self) -> Iterable[Metric]:
        reading = _prober.submit(_read_figures)
        try:
            found = reading.result(SILENCE_SECONDS)
        except (TimeoutError, DatabaseError):
            reading.cancel()
            found = []
        yield GaugeMetricFamily("gateway_database_up", "Whether the database answers.", int(bool(found)))
        yield from found


def _read_figures() -> list[Metric]:
    try:
        return [_read_held(), _read_recent("calls", Count("*")), *_read_sums(), *_read_queue()]
    finally:
        connections.close_all()


def _read_held() -> Metric:
    held = GaugeMetricFamily("gateway_open_reservations", "Calls that hold a prompt now.", labels=["state"])
    for row in list_open().values("state").annotate(count=Count("*")):
        held.add_metric([row["state"]], row["count"])
    return held


def _read_sums() -> Iterable[Metric]:
    """As the records say, which are exact: a counter of our own would not know what was given back later."""
    for name in ("prompts", "input_tokens", "output_tokens", "images"):
        yield _read_recent(name, Coalesce(Sum(name), 0))


def _read_recent(name: str, total: Aggregate | Coalesce) -> Metric:
    figure = GaugeMetricFamily(
        f"gateway_recent_{name}", "Of calls begun in the last five minutes.", labels=["operation", "via", "outcome"]
    )
    recent = UsageRecord.objects.filter(started_at__gte=clock.now() - RECENT).order_by()
    for row in recent.values("operation", "via", "outcome").annotate(total=total):
        figure.add_metric([row["operation"], row["via"], row["outcome"]], row["total"])
    return figure


def _read_queue() -> Iterable[Metric]:
    waiting = ImageJob.objects.filter(progress=Progress.WAITING).aggregate(count=Count("*"), oldest=Min("created_at"))
    yield GaugeMetricFamily("gateway_image_jobs_waiting", "Image jobs no worker has begun.", waiting["count"])
    lag = (clock.now() - waiting["oldest"]).total_seconds() if waiting["oldest"] else 0
    yield GaugeMetricFamily("gateway_queue_lag_seconds", "How long the oldest of them waits.", lag)


def list_figures() -> list[CollectorRegistry]:
    """What /metrics shows: what the processes counted, and what the database knows."""
    telemetry.forget_the_dead()
    return [telemetry.figures(), _known]


_known = CollectorRegistry()
_known.register(Figures())
