"""What goes in through every door in confidence comes out at none (contract, C28).

Each confidence is a canary: a value that is nowhere unless somebody repeats it. They are looked for in all that the
server writes at the level DEBUG, in its figures, in what it answers to errors, and in every column of the database.
"""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from gateway.models import Upstream
from quotas.services import set_quota
from tests.conftest import PASSWORD
from tests.fakes.upstream import BEHAVIORS, Behavior, FakeUpstream, Out, _speak
from tests.servers import Server, database_url, free_port, running_server
from tests.visitor import Visitor

pytestmark = pytest.mark.both_databases

PROMPT, ANSWER = "the canary sings of its illness", "the canary is answered in confidence"
FILE, FILES_WORDS = "canary-report", "what the canary was told by its doctor"
TYPED = "canary-typed-where-the-address-belongs"
ONE_CALL = "canary-of-one-call"
PROVIDERS_KEY, CATALOGS_KEY = "sk-canary-of-the-provider", "sk-canary-of-the-catalog"
OPERATORS, SESSIONS = "canary-of-operators", "canary-of-all-sessions"
REDIS, DATABASE = "canary-of-redis", "canary-of-the-database"

# Where a confidence may be: the words of a chat in the chat's tables, names where they name, a key of a call beside
# its answer. A session's key is the session's (Django's design); of a password and an API key there are digests.
KEPT = {
    PROMPT: {"chat_message.text", "chat_conversation.title"},
    ANSWER: {"chat_message.text", "gateway_idempotencykey.body"},
    FILE: {"chat_attachment.name"},
    FILES_WORDS: {"chat_attachment.text"},
    ONE_CALL: {"gateway_idempotencykey.key"},
}


async def confide(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, words=[ANSWER])


def repeat(body: dict[str, Any]) -> dict[str, Any]:
    """An error that repeats what was asked, and with which keys."""
    return {"error": {"message": f"{PROVIDERS_KEY} {CATALOGS_KEY} {body['messages']}", "type": "x", "code": "no"}}


async def gossip_at_once(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.json(401, repeat(body))


async def gossip_late(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    await out.event(repeat(body))
    await out.close_stream()


MODELS = ("good", "error-401", "error-html", "in-band", "in-band-late", "garbage", "garbage-late", "unheard-of")
GOSSIPS: dict[str, Behavior] = {
    **BEHAVIORS,
    "good": confide,
    "error-401": gossip_at_once,
    "in-band": gossip_late,
}


@pytest.fixture
def gossip(offered: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> FakeUpstream:
    """The provider, which repeats whatever it is told."""
    monkeypatch.setattr(offered, "behaviors", GOSSIPS)
    return offered


def test_c28_no_confidence_comes_out_at_any_door(
    gossip: FakeUpstream, sara: User, root: User, saras_key: str, tmp_path: Path
) -> None:
    set_quota(limit=1000)
    environment = {
        "OPENAI_BASE_URL": gossip.base_url,
        "OPENAI_API_KEY": PROVIDERS_KEY,
        "MAX_PARALLEL_CALLS": "0",
        "LOG_LEVEL": "DEBUG",
        "DEBUG": "1" if connection.vendor == "sqlite" else "0",  # as developers have it, and as a university does
        "SECRET_KEY": SESSIONS,
        "OPERATOR_TOKEN": OPERATORS,
        "REDIS_URL": f"redis://:{REDIS}@127.0.0.1:{free_port()}/0",  # nobody is there: each attempt to count fails
        "DATABASE_URL": database_url().replace("postgres@", f"postgres:{DATABASE}@"),
    }
    errors: list[str] = []
    with running_server(tmp_path, environment=environment) as server:
        session, link = use_pages(server, errors, sara, tmp_path / "mail")
        administer(server, errors, root)
        call(server, errors, saras_key)
        with refusing("chat_message"), refusing("gateway_idempotencykey"):
            use_pages(server, errors, sara, tmp_path / "mail")
            call(server, errors, saras_key)
        with closing(Visitor(server, errors, authorization=f"Bearer {OPERATORS}")) as operator:
            figures = operator.http.get("/metrics").text
        assert "gateway_calls_total" in figures

    words = server.log.read_text()
    assert {line["outcome"] for line in read_calls(words)} == {"served", "upstream_failed"}
    written = "".join(file.read_bytes().decode(errors="replace") for file in list_written(tmp_path))
    kept = KEPT | {session: {"django_session.session_key", "usersessions_usersession.session_key"}}
    secrets = {PASSWORD, TYPED, link, saras_key, PROVIDERS_KEY, CATALOGS_KEY, OPERATORS, SESSIONS, REDIS, DATABASE}
    everywhere = {"written": written, "figures": figures, "errors": "".join(errors)}
    for canary in secrets | kept.keys():
        assert [where for where, text in everywhere.items() if canary in text] == [], canary
        assert list_columns_with(canary) == kept.get(canary, set()), canary
    assert sara.email not in written + figures


def read_calls(words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in words.splitlines() if line.startswith('{"event":"call"')]


def use_pages(server: Server, errors: list[str], person: User, letters: Path) -> tuple[str, str]:
    """Sign in with and without mistakes, ask with a file, search, forget the password; the session and the link."""
    with closing(Visitor(server, errors)) as visitor:
        visitor.post_form("/accounts/login/", login=TYPED, password=PASSWORD)
        visitor.post_form("/accounts/login/", login=person.email, password=TYPED)
        session = visitor.sign_in(person)
        visitor.http.get("/", params={"search": PROMPT})
        file = {"files": (f"{FILE}.txt", FILES_WORDS.encode(), "text/plain")}
        asked = visitor.http.post("/chat/ask/", data={"text": PROMPT, "model": "good"}, files=file)
        if asked.is_success:
            visitor.http.get(asked.json()["follow"])
        visitor.http.post("/chat/attachments/", files={"file": (f"{FILE}.exe", b"MZ")})
        before = set(letters.glob("*"))
        visitor.post_form("/accounts/password/reset/", email=person.email)
        (letter,) = set(letters.glob("*")) - before
        link = re.search(r"/accounts/password/reset/key/(\S+)/", letter.read_text())
        assert link
        visitor.http.get(link[0])
        return session, link[1]


def administer(server: Server, errors: list[str], root: User) -> None:
    """Give a provider a key, at an address where nobody is, and try it."""
    address = {"address-name": "east", "address-base_url": f"http://127.0.0.1:{free_port()}/v1"}
    credential = {"address-credential": CATALOGS_KEY}
    with closing(Visitor(server, errors)) as visitor:
        visitor.sign_in(root)
        visitor.post_form("/manage/providers/new/", name="Two", slug="two", kind="compatible", **address, **credential)
        visitor.http.post(f"/manage/providers/addresses/{Upstream.objects.get(name='east').pk}/test/")


def call(server: Server, errors: list[str], key: str) -> None:
    """A program's calls: served, refused, failing in every talkative way, and with a key that is almost right."""
    body = {"model": "good", "messages": [{"role": "user", "content": PROMPT}]}
    with closing(Visitor(server, errors, authorization=f"Bearer {key}")) as program:
        for model, stream in product(MODELS, (True, False)):
            name = {"idempotency-key": f"{ONE_CALL} {model} {stream}"}
            answer = program.http.post(
                "/v1/chat/completions", json={**body, "model": model, "stream": stream}, headers=name
            )
            if model != "good":
                errors.append(answer.text)
        program.http.post("/v1/chat/completions", json={**body, "api_key": CATALOGS_KEY})
        program.http.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}x"})


@contextmanager
def refusing(table: str) -> Iterator[None]:
    """A rule that no row fulfills: of a broken one PostgreSQL tells the whole row."""
    rule = f"no_{table}"
    if connection.vendor == "sqlite":
        refuse = f"create trigger {rule} before insert on {table} begin select raise(abort, 'no'); end"
        allow = f"drop trigger {rule}"
    else:
        refuse = f"alter table {table} add constraint {rule} check (false) not valid"
        allow = f"alter table {table} drop constraint {rule}"
    with connection.cursor() as cursor:
        cursor.execute(refuse)
        try:
            yield
        finally:
            cursor.execute(allow)


def list_written(data_dir: Path) -> Iterator[Path]:
    """What the server wrote, but for letters to people, their files and the database."""
    for file in data_dir.rglob("*"):
        if file.is_file() and not {"mail", "media"} & set(file.relative_to(data_dir).parts):
            yield file


def list_columns_with(canary: str) -> set[str]:
    """Every column of the database that has the canary in clear."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"select * from {connection.ops.quote_name(table)}")  # noqa: S608  # our own tables
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                pairs = zip(columns, map(as_text, row), strict=True)
                found |= {f"{table}.{name}" for name, value in pairs if canary in value}
    return found


def as_text(value: object) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)
