"""Many rules at once, from a file: all of it, or nothing when one line is wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Department, User
from accounts.types import Role
from audit.services import differences, record
from core import clock
from core.errors import InvalidRequest
from core.sheets import Problem
from courses.models import Course
from quotas.errors import UnreadableRules
from quotas.models import Quota
from quotas.rule_file import RuleLine, read_rules
from quotas.services.checks import check_reason
from quotas.services.rules import END_FIELDS, HELD_EVER, around, end_at
from quotas.types import ImportedRule, Subject

_AT_ONCE = 1000  # rows of a statement
_UNKNOWN = {
    Subject.PERSON: lambda who: _("Nobody has the e-mail address %(who)s.") % {"who": who},
    Subject.COURSE: lambda who: _("There is no course %(code)s.") % {"code": who},
    Subject.DEPARTMENT: lambda who: _("There is no department “%(code)s”.") % {"code": who},
    Subject.ROLE: lambda who: (
        _("There is no role “%(role)s”; write one of %(known)s.") % {"role": who, "known": ", ".join(Role.values)}
    ),
}


@dataclass(slots=True)
class _Step:
    """What one line means: the rule to write, if any, and the one that ends for it, if any."""

    line: RuleLine
    made: Quota | None
    ended: Quota | None

    @property
    def told(self) -> ImportedRule:
        action = "same" if self.made is None else "create" if self.ended is None else "update"
        changes = {} if self.made is None else {"limit": (self.ended.name if self.ended else "", self.made.name)}
        who = " ".join(filter(None, (self.line.subject.value, self.line.who, self.line.department)))
        return ImportedRule(self.line.number, who, action, changes)  # type: ignore[arg-type]


def import_quotas(*, text: Iterable[str], reason: str, by_id: int | None, dry_run: bool = False) -> list[ImportedRule]:
    """Put the rules of a file in force, each in place of the one of the same kind for the same people.

    What people have used stays as it is (D8). As few statements as the database's longest allow.

    Args:
        text: lines of CSV; the first names the columns, see `quotas.rule_file`.
        reason: kept in the history of every rule.
        dry_run: only tell what would change.

    Raises:
        InvalidRequest: no reason is given, or someone changed one of the rules in the same moment.
        UnreadableRules: with every bad line and what is wrong with it.
    """
    at, reason = clock.now(), check_reason(reason)
    lines, problems = read_rules(text, today=clock.local_day(at))
    try:
        with transaction.atomic():
            keys = _Keys(lines)
            problems += [Problem(line.number, "who", keys.problem(line)) for line in lines if keys.problem(line)]
            problems += [
                Problem(line.number, "department", _UNKNOWN[Subject.DEPARTMENT](line.department))
                for line in lines
                if line.department and line.department not in keys.departments
            ]
            if problems:
                raise UnreadableRules(sorted(problems))
            steps = _plan(lines, keys, at=at, by_id=by_id, reason=reason)
            told = [step.told for step in steps]
            if not dry_run:
                _write(steps, at=at, by_id=by_id, reason=reason)
                counts = Counter[str](rule.action for rule in told)
                record("quotas.import", subject="quotas", changes=differences({}, counts), reason=reason)
    except IntegrityError as error:
        raise InvalidRequest(
            _("This rule was changed by someone else in the same moment, or its person or department is gone.")
        ) from error
    return told


class _Keys:
    """Whom the lines speak of, found with a statement for each kind of subject that occurs."""

    def __init__(self, lines: Iterable[RuleLine]) -> None:
        found = {line.subject for line in lines}
        emails = User.objects.values_list("email", "pk") if Subject.PERSON in found else ()
        courses = Course.objects.values_list("code", "pk") if Subject.COURSE in found else ()
        self.departments = dict(Department.objects.values_list("code", "pk"))
        self._known: dict[Subject, dict[str, Any]] = {
            Subject.EVERYONE: {"": None},
            Subject.PERSON: dict(emails),
            Subject.COURSE: dict(courses),
            Subject.DEPARTMENT: self.departments,
            Subject.ROLE: {role.value: role.value for role in Role},
        }

    def problem(self, line: RuleLine) -> str:
        """What is wrong with whom the line names; "" when nothing is."""
        return "" if line.who in self._known[line.subject] else _UNKNOWN[line.subject](line.who)

    def columns(self, line: RuleLine) -> dict[str, Any]:
        """Whom the line is for, as columns of a rule."""
        found = self._known[line.subject][line.who]
        department = self.departments.get(line.department) if line.department else None
        return {
            "role": found if line.subject == Subject.ROLE else "",
            "department_id": found if line.subject == Subject.DEPARTMENT else department,
            "course_id": found if line.subject == Subject.COURSE else None,
            "user_id": found if line.subject == Subject.PERSON else None,
        }


def _plan(lines: Iterable[RuleLine], keys: _Keys, *, at: datetime, by_id: int | None, reason: str) -> list[_Step]:
    alive = Quota.objects.select_for_update().filter(HELD_EVER).filter(Q(ends_at=None) | Q(ends_at__gt=at))
    present: dict[Any, list[Quota]] = defaultdict(list)
    for rule in alive.order_by("starts_at"):
        present[rule.who, rule.kind].append(rule)
    steps = []
    for line in lines:
        columns = keys.columns(line)
        starts_at = clock.start_of(line.starts_on) if line.starts_on else at
        before, after = around(present[tuple(columns.values()), line.kind], starts_at)
        ends = [after.starts_at] if after else []
        ends += [clock.start_of(line.ends_on + timedelta(days=1))] if line.ends_on else []
        ends_at = min(ends, default=None)
        if before is not None and (before.limit, before.ends_at) == (line.limit, ends_at):
            steps.append(_Step(line, None, None))
            continue
        unit, period, scope = line.kind
        rule = Quota(
            **columns, unit=unit, period=period, scope=scope, limit=line.limit, starts_at=starts_at, ends_at=ends_at,
            created_by_id=by_id, created_at=at, reason=reason,
        )  # fmt: skip
        steps.append(_Step(line, rule, before))
    return steps


def _write(steps: Iterable[_Step], *, at: datetime, by_id: int | None, reason: str) -> None:
    made = [step.made for step in steps if step.made is not None]
    ended = []
    for step in steps:
        if step.made is not None and step.ended is not None:
            end_at(step.ended, ends_at=step.made.starts_at, at=at, by_id=by_id, reason=reason)
            ended.append(step.ended)
    # First what ends: of one kind for the same people only one is in force.
    Quota.objects.bulk_update(ended, END_FIELDS, batch_size=_AT_ONCE)
    Quota.objects.bulk_create(made, batch_size=_AT_ONCE)
