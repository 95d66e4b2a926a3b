"""`python -m bench.university [ROWS]`: fills the database of this environment with a university of 50,000 people.

500 courses, a year of usage with its ledger and the totals of its days, a million messages and what people think of the
answers. The usage is written by the database itself in a few statements, without the indexes, which are built at the
end. It takes some minutes.
"""

import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import django

from config import env

env.choose_settings()
django.setup()

from django.db import connection, transaction  # noqa: E402  # models can be imported only now
from django.db.models import Count, Model  # noqa: E402

from accounts.models import Department, User  # noqa: E402
from accounts.types import Role  # noqa: E402
from audit.models import Entry  # noqa: E402
from chat.models import Conversation, Message  # noqa: E402
from chat.types import Author  # noqa: E402
from core import clock, rows  # noqa: E402
from courses.models import Course, Enrollment  # noqa: E402
from courses.types import CourseRole  # noqa: E402
from quotas.models import Allowance, LedgerEntry, Reservation  # noqa: E402
from quotas.types import EntryKind, Period, Unit  # noqa: E402
from usage.models import DailyRollup, Reading, RollupDay, UsageRecord  # noqa: E402
from usage.selectors import total_people  # noqa: E402
from usage.tables import add_rows, pack  # noqa: E402
from usage.types import MEASURES, Outcome  # noqa: E402

PEOPLE, COURSES, ROSTER, DEPARTMENTS, ENTRIES = 50_000, 500, 200, 10, 20_000
ROWS = 10_000_000
DAYS = 365
CHATTER = "p49000@bench.edu"  # who has CHATS conversations, and one of LONG messages
MESSAGES, TURNS, CHATS, LONG = 1_000_000, 12, 5_000, 500

_SERIES = {
    "postgresql": "generate_series(0, %(rows)s::bigint - 1) as n(i)",
    "sqlite": "(with recursive n(i) as (values (0) union all select i + 1 from n limit %(rows)s) select i from n)",
}
_UUID = {"postgresql": "lpad(to_hex(i), 32, '0')::uuid", "sqlite": "printf('%%032x', i)"}
_AT = {
    "postgresql": "%(first)s::timestamptz + (i * %(step)s) * interval '1 second'",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', %(first)s, '+' || (i * %(step)s) || ' seconds')",
}
_DAY = {
    "postgresql": "(started_at at time zone '{zone}')::date",
    "sqlite": "date(started_at, '+8 hours')",
}
_INDEXES = {
    "postgresql": "select indexname, indexdef from pg_indexes where tablename = %s and not indexdef ~ ' UNIQUE '",
    "sqlite": "select name, sql from sqlite_master where type = 'index' and tbl_name = %s and sql is not null",
}
# Numbers that share no factor spread people, courses and days over the calls as chance would.
_RECORDS = """
insert into usage_usagerecord (call_id, user_id, role, department_id, course_id, key_id, via, operation, model,
    provider, outcome, code, prompts, input_tokens, output_tokens, images, usage_source, cost_micro,
    started_at, ended_at)
select {uuid}, {u}, case when i * 7919 %% {people} %% 10 = 0 then 'staff' else 'student' end,
    {department} + i * 7919 %% {people} %% {departments},
    case when i %% 2 = 0 then {course} + i * 31 %% {courses} end, null,
    case when i %% 3 = 0 then 'api' else 'web' end, case when i %% 11 = 0 then 'image' else 'chat' end,
    case when i %% 11 = 0 then 'picture' when i %% 5 < 3 then 'small' else 'large' end, 'bench',
    case when i %% 20 = 0 then 'refused' else 'served' end, '', case when i %% 20 = 0 then 0 else 1 end,
    200 + i %% 800, 300 + i %% 900, 0, 'reported', 40 + i %% 100, {at}, {at}
from {series}
"""
# Of every call that was answered, and in the purse of the year.
_RESERVATIONS = """
insert into quotas_reservation (call_id, user_id, state, operation, model, course_code, via, created_at, lease_until,
    dispatched_at, settled_at, ended_at, is_estimated)
select call_id, user_id, 'closed', operation, model, '', via, started_at, started_at,
    started_at, started_at, ended_at, false
from usage_usagerecord where outcome = 'served'
"""
_MOVEMENTS = """
insert into quotas_ledgerentry (allowance_id, reservation_id, kind, delta_used, delta_held, delta_granted,
    used_after, held_after, granted_after, reason, at)
select a.id, r.call_id, '{kind}', {used}, {held}, 0, 0, 0, 0, '', r.created_at
from quotas_reservation r join quotas_allowance a on a.user_id = r.user_id
"""

_ROLLUPS = """
insert into usage_dailyrollup (day, user_id, role, department_id, course_id, via, operation, model, outcome,
    calls, prompts, input_tokens, output_tokens, images, cost_micro)
select {day}, user_id, role, department_id, course_id, via, operation, model, outcome,
    count(*), sum(prompts), sum(input_tokens), sum(output_tokens), sum(images), sum(cost_micro)
from usage_usagerecord where started_at < %(today)s group by 1, 2, 3, 4, 5, 6, 7, 8, 9
"""

_TOTALS = """
insert into usage_dailytotal (day, role, department_id, via, operation, model, outcome,
    calls, prompts, input_tokens, output_tokens, images, cost_micro)
select day, role, department_id, via, operation, model, outcome,
    sum(calls), sum(prompts), sum(input_tokens), sum(output_tokens), sum(images), sum(cost_micro)
from usage_dailyrollup group by 1, 2, 3, 4, 5, 6, 7
"""

_KINDS = ("role", "department", "course", "via", "operation", "model", "outcome")
_GROUPS = """
insert into usage_dailygroup (day, kind, value, people,
    calls, prompts, input_tokens, output_tokens, images, cost_micro)
select day, '{kind}', coalesce(cast({column} as text), ''), count(distinct user_id),
    sum(calls), sum(prompts), sum(input_tokens), sum(output_tokens), sum(images), sum(cost_micro)
from usage_dailyrollup group by day, {column}
"""

# Of every fifth answer, by whoever asked.
_OPINIONS = """
insert into chat_opinion (answer_id, model, user_id, is_good, reason, note, given_at)
select id, model, user_id, n % 3 <> 0, case when n % 3 = 0 then 'wrong' else '' end, '', created_at
from (
    select m.id, m.model, c.user_id, m.created_at, row_number() over (order by m.created_at) as n
    from chat_message m join chat_conversation c on c.id = m.conversation_id where m.author = 'model'
) as answers
where n % 5 = 0
"""


def main(calls: int = ROWS) -> None:
    """Fill it, and say how long each part took."""
    _hurry()
    if not User.objects.filter(email="p0@bench.edu").exists():
        _timed("people, courses and rosters", _people)
        _timed(f"{MESSAGES:,} messages", _chats)
        _timed("opinions of answers", lambda: _execute(_OPINIONS))
    _timed(f"{calls:,} usage rows", lambda: _usage(calls))
    _timed("reservations and their movements", _ledger)
    _timed("totals of the days", _rollups)
    _timed("audit entries", _entries)
    # What PostgreSQL does by itself sooner or later: without it no page is read from an index alone.
    _timed("statistics", lambda: _execute("vacuum analyze" if connection.vendor == "postgresql" else "analyze"))


@transaction.atomic
def _people() -> None:
    departments = Department.objects.bulk_create(
        Department(code=f"dept{n}", name=f"Department {n}") for n in range(DEPARTMENTS)
    )
    ids = [department.pk for department in departments]
    people = User.objects.bulk_create(
        [
            User(
                email=f"p{n}@bench.edu",
                name=f"Person {n}",
                role=Role.INSTRUCTOR if n < COURSES else Role.STUDENT,
                department_id=ids[n % DEPARTMENTS],
            )
            for n in range(PEOPLE)
        ],
        batch_size=2000,
    )
    today = clock.local_day(clock.now())
    first_day = today - timedelta(days=80)
    courses = Course.objects.bulk_create(
        Course(code=f"BENCH{n}", title=f"Course {n}", starts_on=first_day, ends_on=today + timedelta(days=30))
        for n in range(COURSES)
    )
    Enrollment.objects.bulk_create(
        [
            Enrollment(
                course=course,
                user=people[(n * 97 + k * 251) % (PEOPLE - COURSES) + COURSES] if k else people[n],
                role=CourseRole.STUDENT if k else CourseRole.INSTRUCTOR,
            )
            for n, course in enumerate(courses)
            for k in range(ROSTER)
        ],
        batch_size=2000,
        ignore_conflicts=True,
    )


def _usage(calls: int) -> None:
    first_user = User.objects.earliest("pk").pk
    words = {
        "uuid": _UUID[connection.vendor],
        "at": _AT[connection.vendor],
        "series": _SERIES[connection.vendor],
        "u": f"{first_user} + i * 7919 %% {PEOPLE}",
        "people": PEOPLE,
        "department": Department.objects.earliest("pk").pk,
        "departments": DEPARTMENTS,
        "course": Course.objects.earliest("pk").pk,
        "courses": COURSES,
    }
    first = clock.now() - timedelta(days=DAYS)
    with _without_indexes(UsageRecord):
        _execute(_RECORDS.format(**words), {"rows": calls, "first": first, "step": DAYS * 24 * 3600 / (calls + 1)})


def _ledger() -> None:
    """To count beside, not for the proof: what a purse held after a movement is left out."""
    with _without_indexes(Reservation):
        _execute(_RESERVATIONS)
    used = UsageRecord.objects.filter(outcome=Outcome.SERVED).order_by().values_list("user").annotate(Count("pk"))
    first = clock.start_of(clock.local_day(clock.now()).replace(month=1, day=1))
    Allowance.objects.bulk_create(
        [
            Allowance(user_id=pk, unit=Unit.PROMPTS, period=Period.ONCE, window_start=first, used=count)
            for pk, count in used
        ],
        batch_size=2000,
    )
    with _without_indexes(LedgerEntry):
        _execute(_MOVEMENTS.format(kind=EntryKind.RESERVE, used=0, held=1))
        _execute(_MOVEMENTS.format(kind=EntryKind.SETTLE, used=1, held=-1))


def _chats() -> None:
    """The first CHATS conversations are the chatter's, and so is the last, which is long."""
    chatter, first_user = User.objects.get(email=CHATTER).pk, User.objects.earliest("pk").pk
    sizes = [*[TURNS] * (MESSAGES // TURNS), LONG]
    at, step = clock.now() - timedelta(days=DAYS), timedelta(days=DAYS) / (MESSAGES + LONG)
    conversations: list[rows.Row] = []
    messages: list[rows.Row] = []
    for n, size in enumerate(sizes):
        own = n < CHATS or size == LONG
        title = f"Homework {n}" if n % 2 else f"第 {n} 題功課"
        chat, turns = UUID(int=n + 1), [UUID(int=(n + 1) * 1000 + turn) for turn in range(size)]
        for turn, (uuid, parent) in enumerate(zip(turns, [None, *turns], strict=False)):
            at += step
            author = Author.MODEL if turn % 2 else Author.PERSON
            messages.append((uuid, chat, parent, author.value, _said(n, turn), "complete", "small", 1, at))
        user = chatter if own else first_user + n % PEOPLE
        conversations.append((chat, user, title, "small", turns[-1], at, at))
        if len(messages) > 20_000 or size == LONG:
            _insert(Conversation, _CONVERSATION, conversations)
            _insert(Message, _MESSAGE, messages)
            conversations, messages = [], []


def _insert(model: type[Model], names: Sequence[str], found: Iterable[rows.Row]) -> None:
    """Insert rows; fields that are not named and may not be null get their own default."""
    others = [field for field in model._meta.concrete_fields if field.name not in names and not field.null]
    defaults = tuple(field.get_default() for field in others)
    rows.insert(model, (*names, *(field.name for field in others)), [(*row, *defaults) for row in found])


_CONVERSATION = ("id", "user", "title", "model", "head", "created_at", "updated_at")
_MESSAGE = ("id", "conversation", "parent", "author", "text", "progress", "model", "prompts", "created_at")


def _said(chat: int, turn: int) -> str:
    """About 300 characters of English or Chinese; one in a hundred chats speaks of photosynthesis."""
    rare = chat % 100 == 0 and turn == 3
    if turn % 4 < 2:
        what = "十四行詩" if not rare else "光合作用"
        return f"第 {chat} 題的第 {turn} 部分：請解釋甚麼是{what}，並說明圖表應該怎樣閱讀。" + _CHINESE * 3
    what = "photosynthesis" if rare else "a sonnet"
    return f"Part {turn} of question {chat}: please explain {what} and how its diagram is read. " + _ENGLISH * 3


_CHINESE = "答案最好簡短一點，附上一個例子，因為我星期一要交功課；然後我想比較課堂上講過的解法和我自己想到的解法。"
_ENGLISH = "A **short** answer with an example helps me most; then I compare it with `x = 1`, the one of the lecture. "


def _rollups() -> None:
    today = clock.local_day(clock.now())
    day = _DAY[connection.vendor].format(zone="Asia/Hong_Kong")
    with _without_indexes(DailyRollup):
        _execute(_ROLLUPS.format(day=day), {"today": clock.start_of(today)})
    _execute(_TOTALS)
    for kind in _KINDS:
        column = f"{kind}_id" if kind in ("department", "course") else kind
        _execute(_GROUPS.format(kind=kind, column=column))
    _readings()
    RollupDay.objects.bulk_create(
        [RollupDay(day=today - timedelta(days=n), complete=True) for n in range(1, DAYS + 2)], ignore_conflicts=True
    )


def _readings() -> None:
    meters = [array("q") for _ in MEASURES]
    for day in DailyRollup.objects.order_by("day").values_list("day", flat=True).distinct():
        add_rows(meters, total_people(day))
        readings = zip(MEASURES, map(pack, meters), strict=True)
        Reading.objects.bulk_create(Reading(day=day, measure=name, column=column) for name, column in readings)


def _entries() -> None:
    """Unsealed: for the pages, not for the proof."""
    Entry.objects.bulk_create(
        [
            Entry(
                number=n, action="person.change", subject=f"person/{n}", name=f"p{n}@bench.edu", actor="root@bench.edu"
            )
            for n in range(1, ENTRIES)
        ],
        batch_size=2000,
        ignore_conflicts=True,
    )


def _execute(sql: str, values: dict[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _hurry() -> None:
    """No look at every row's foreign keys, and no wait for the disk: what breaks is made anew."""
    sqlite = ("pragma foreign_keys = off", "pragma synchronous = off", "pragma cache_size = -400000")
    postgresql = ("session_replication_role = replica", "synchronous_commit = off", "maintenance_work_mem = '400MB'")
    for words in sqlite if connection.vendor == "sqlite" else [f"set {setting}" for setting in postgresql]:
        _execute(words)


@contextmanager
def _without_indexes(model: type[Model]) -> Iterator[None]:
    """Drop the indexes of the model's table, but for those of its constraints, and build them again at the end."""
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES[connection.vendor], [model._meta.db_table])
        indexes = cursor.fetchall()
    for name, _sql in indexes:
        _execute(f"drop index {name}")
    try:
        yield
    finally:
        for _name, sql in indexes:
            _execute(sql)


def _timed(title: str, work: Callable[[], None]) -> None:
    began = time.monotonic()
    work()
    print(f"{title}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
