"""`python -m tests.faults.installation N`: an empty database made ready for N people, and their keys printed."""

import json
import sys

import django

from config import env

env.choose_settings()
django.setup()

from django.core.management import call_command  # noqa: E402  needs the settings, as the next
from django.db import transaction  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.services import create_api_key  # noqa: E402
from policies.selectors import list_outstanding  # noqa: E402
from policies.services import acknowledge  # noqa: E402
from quotas.services import set_quota  # noqa: E402


def main(people: int) -> None:
    """Everyone has accepted the clauses and has prompts enough for any test."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("prepare", verbosity=0)
    with transaction.atomic():
        set_quota(limit=1_000_000)
        print(json.dumps([make_key(number) for number in range(people)]))  # noqa: T201  read by who started us


def make_key(number: int) -> str:
    person = User.objects.create_user(f"person{number}@example.edu", name="Person")
    for version in list_outstanding(person.id):
        acknowledge(user_id=person.id, version_id=version.id, language="en")
    return create_api_key(user_id=person.id, name="outage")[1]


if __name__ == "__main__":
    main(int(sys.argv[1]))
