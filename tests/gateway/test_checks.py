"""The check of access rules: warns of a misspelled model, and is quiet before there are tables."""

import pytest
from django.db import connection

from gateway.checks import check_access_rules
from policies.models import AccessRule


def test_a_rule_for_a_model_nobody_offers_is_pointed_out(db: None) -> None:
    AccessRule.objects.create(model="gtp-4", is_allowed=False)
    (warning,) = check_access_rules(databases=["default"])
    assert warning.id == "gateway.W001"


@pytest.mark.django_db(transaction=True)
def test_the_first_migrate_finds_no_tables_and_is_not_stopped() -> None:
    rules = AccessRule._meta.db_table
    with connection.schema_editor() as editor:
        editor.execute(f"alter table {rules} rename to elsewhere")
    try:
        assert check_access_rules(databases=["default"]) == []
    finally:
        with connection.schema_editor() as editor:
            editor.execute(f"alter table elsewhere rename to {rules}")
