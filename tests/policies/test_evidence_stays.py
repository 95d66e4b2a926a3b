"""What was accepted, and the wording that was accepted, can be neither changed nor deleted."""

from collections.abc import Callable
from importlib import import_module

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from core.append_only import AppendOnlyError
from policies import selectors, services
from policies.models import Acknowledgment, ClauseVersion

append_only = import_module("policies.migrations.0002_append_only")


@pytest.fixture
def accepted(sara: User, clauses: None) -> Acknowledgment:
    version = selectors.list_current().get()
    return services.acknowledge(user_id=sara.id, version_id=version.id, language="en")


@pytest.fixture
def guarded(db: None) -> None:
    """The triggers as the migration ships them (conftest takes the delete triggers of SQLite away)."""
    if connection.vendor == "sqlite":
        for table, kept in append_only.TABLES.items():
            with connection.cursor() as cursor:
                cursor.execute(append_only.REFUSE["sqlite"][1].format(table=table, kept=kept))


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given.save(),
        lambda given: given.delete(),
        lambda given: Acknowledgment.objects.all().delete(),
        lambda given: Acknowledgment.objects.update(language="fr"),
        lambda given: Acknowledgment.objects.filter(id=given.id).delete(),
    ],
)
def test_the_program_refuses(accepted: Acknowledgment, change: Callable[[Acknowledgment], object]) -> None:
    with pytest.raises(AppendOnlyError):
        change(accepted)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "sql",
    [
        "update policies_acknowledgment set language = 'fr'",
        "delete from policies_acknowledgment",
        "update policies_clauseversion set body_en = 'Anything goes.'",
        "update policies_clauseversion set published_at = null",
        "delete from policies_clauseversion",
    ],
)
def test_the_database_refuses(accepted: Acknowledgment, guarded: None, sql: str) -> None:
    refused = pytest.raises(DatabaseError, match="never changed or deleted")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert Acknowledgment.objects.get().language == "en"
    assert ClauseVersion.objects.get().fingerprint() == accepted.digest


@pytest.mark.both_databases
def test_a_draft_may_still_change_and_go(accepted: Acknowledgment, guarded: None) -> None:
    wordings = dict.fromkeys(
        ("title_en", "title_zh_hant", "title_zh_hans", "body_en", "body_zh_hant", "body_zh_hans"), "x"
    )
    draft = services.create_version(clause_id=accepted.version.clause_id, wordings=wordings)
    services.update_draft(version_id=draft.id, wordings=wordings | {"body_en": "y"})
    ClauseVersion.objects.get(id=draft.id).delete()
