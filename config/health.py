"""How the installation is: what /readyz, /metrics and `manage.py doctor` look at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.core.checks import ERROR, run_checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count
from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chat.models import ImageJob
from chat.types import Progress
from config.celery import app
from core import clock
from gateway.errors import UpstreamError
from gateway.models import Upstream
from gateway.services import list_offered_models
from gateway.types import ProviderKind
from quotas.models import Reservation
from quotas.types import OPEN_STATES
from usage.models import UsageRecord

RECENT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and in words how it is."""

    name: str
    is_well: bool
    words: str


def examine_readiness() -> list[Finding]:
    """What must be well before a request is worth answering: the database, and its migrations."""
    database = _look("database", _see_database, DatabaseError)
    return [database, _look("migrations", _see_migrations, DatabaseError)] if database.is_well else [database]


def examine_everything() -> list[Finding]:
    """What an operator wants to know when something is wrong."""
    findings = [_look("configuration", _see_configuration, ValueError), *examine_readiness()]
    findings.append(_look("broker", _see_broker, (OperationalError, OSError)))
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
        cursor.execute("select 1")
    return connection.vendor


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
    """The installation's figures, read from the database at each scrape: the same from every worker."""

    def collect(self) -> Iterable[Metric]:
        held = GaugeMetricFamily("gateway_open_reservations", "Calls that hold a prompt now.", labels=["state"])
        open_ones = Reservation.objects.filter(state__in=OPEN_STATES).order_by()
        for row in open_ones.values("state").annotate(count=Count("*")):
            held.add_metric([row["state"]], row["count"])
        yield held
        calls = GaugeMetricFamily(
            "gateway_recent_calls", "Calls begun in the last five minutes.", labels=["operation", "via", "outcome"]
        )
        recent = UsageRecord.objects.filter(started_at__gte=clock.now() - RECENT).order_by()
        for row in recent.values("operation", "via", "outcome").annotate(count=Count("*")):
            calls.add_metric([row["operation"], row["via"], row["outcome"]], row["count"])
        yield calls
        waiting = ImageJob.objects.filter(progress=Progress.WAITING).count()
        yield GaugeMetricFamily("gateway_image_jobs_waiting", "Image jobs no worker has begun.", waiting)


figures = CollectorRegistry()
figures.register(Figures())
