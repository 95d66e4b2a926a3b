"""Every way a provider can fail, against the table that promises what becomes of it (contract, C08, C10, C11)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection, transaction

from core.types import Operation
from gateway.models import Model, Provider, Route, Upstream
from gateway.services import sync_catalog
from gateway.types import ProviderKind
from tests.architecture.source import ROOT
from tests.books import check_books
from tests.fakes.addresses import open_addresses
from tests.fakes.faults import FAULTS
from tests.fakes.upstream import SECRET, FakeUpstream, open_upstream
from tests.faults import table
from tests.faults.length import how_many, report
from tests.servers import Server, database_url, running_server

EVERY = how_many(10, 1) if connection.vendor == "postgresql" else 1  # of the table's rows

pytestmark = pytest.mark.both_databases


@pytest.fixture
def faulty(transactional_db: None, settings: LazySettings, tmp_path: Path) -> Iterator[FakeUpstream]:
    """Providers with every fault there is, and their models in the catalog; each call's row must be there first."""
    with open_upstream(FAULTS) as upstream, open_addresses(tmp_path) as addresses:
        settings.OPENAI_BASE_URL = upstream.base_url
        with transaction.atomic():
            sync_catalog()
            for name, address in addresses.items():
                offer_at(name, address)
        upstream.database_url = database_url()
        yield upstream
        assert [arrival.model for arrival in upstream.calls() if not arrival.is_durable] == []


def offer_at(name: str, address: str) -> None:
    """A chat model and an image model at a provider of their own."""
    provider = Provider.objects.create(slug=name, name=name, kind=ProviderKind.COMPATIBLE)
    upstream = Upstream.objects.create(provider=provider, name="default", base_url=address)
    for prefix, operation in (("", Operation.CHAT), ("image-", Operation.IMAGE)):
        model = Model.objects.create(name=prefix + name, label=name, operation=operation)
        Route.objects.create(model=model, upstream=upstream, upstream_name="any")


@pytest.fixture
def patient_server(faulty: FakeUpstream, tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path, environment={"OPENAI_BASE_URL": faulty.base_url, **table.DEADLINES}) as server:
        yield server


def read_promises() -> list[tuple[str, ...]]:
    """The rows of the table in docs/faults.md, as many as are tried."""
    lines = (ROOT / "docs" / "faults.md").read_text().splitlines()
    rows = [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")]
    return rows[2::EVERY]


def test_c08_every_fault_ends_as_the_table_promises(patient_server: Server) -> None:
    faults = list(dict.fromkeys(case.fault for case in table.list_cases()))[::EVERY]
    cells = table.run(patient_server, [case for case in table.list_cases() if case.fault in faults])

    rows = table.render(cells)
    for fault, *forms in rows:
        report(fault, " | ".join(forms))
    assert rows == read_promises()
    check_books()
    assert SECRET not in patient_server.log.read_text()  # what a provider writes into an error stays there
