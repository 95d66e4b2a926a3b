"""An installation to measure: a folder, an environment, a person with a key and no end of prompts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PERSON = "bench@example.edu"
_SIGN_IN = f"""
from django.test import Client
from accounts.models import User
client = Client()
client.force_login(User.objects.get(email="{PERSON}"))
print(client.cookies["sessionid"].value)
"""


def environment_in(folder: Path, **changes: str) -> dict[str, str]:
    """The environment of an installation that keeps everything in `folder` and stops nobody for asking often."""
    nothing = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"), "")
    own = {"DATA_DIR": str(folder), "PORT": str(free_port()), "DEMO": "0", "MAX_ATTEMPTS_PER_HOUR": "0"}
    environment = {**os.environ, **nothing, **own, **changes}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or failed imports are compiled again and again
    return environment


def make_person(environment: dict[str, str]) -> str:
    """Somebody with the clauses accepted; the key of theirs."""
    people = Path(environment["DATA_DIR"]) / "people.csv"
    people.write_text(f"email,name,role,department\n{PERSON},Bench,student,\n")
    manage(environment, "import_people", str(people))
    manage(environment, "acknowledge", PERSON, "--all", "--on-behalf", "measuring")
    manage(environment, "set_quota", "--everyone", "--limit", "1000000000")
    return manage(environment, "issue_key", PERSON).split()[-1]


def sign_in(environment: dict[str, str]) -> str:
    """Make a new installation ready, with its person; the cookie of her session."""
    for verb in ("migrate", "prepare"):
        manage(environment, verb)
    make_person(environment)
    return run(environment, _SIGN_IN)


def manage(environment: dict[str, str], *arguments: str) -> str:
    """What a management command prints."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def run(environment: dict[str, str], program: str) -> str:
    """What a program prints that runs inside the installation."""
    return manage(environment, "shell", "-v0", "-c", program).strip()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
