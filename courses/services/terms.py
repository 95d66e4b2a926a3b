"""The university's terms."""

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import differences, record
from core import clock
from core.errors import NotFound
from core.text import one_line
from courses.models import Term


@transaction.atomic
def save_term(*, code: str, name: str, starts_on: date, ends_on: date) -> Term:
    """Write down a term, or change the one of this code.

    A term that has begun keeps its first day: quotas per term are counted from it.

    Raises:
        ValidationError: by field: it ends before it starts, overlaps another, or has begun and would begin anew.
    """
    # Whoever writes terms waits here for the others, so that two cannot overlap.
    terms = {term.code: term for term in Term.objects.select_for_update()}
    term = terms.pop(code.strip(), None) or Term(code=code.strip())
    today = clock.local_day(clock.now())
    if term.pk and term.starts_on != starts_on and min(term.starts_on, starts_on) <= today:
        raise ValidationError({"starts_on": _("A term that has begun keeps its first day: quotas count from it.")})
    before = _state_of(term) if term.pk else {}
    term.name, term.starts_on, term.ends_on = one_line(name), starts_on, ends_on
    term.full_clean()
    overlapping = [other for other in terms.values() if starts_on <= other.ends_on and other.starts_on <= ends_on]
    if overlapping:
        raise ValidationError({"starts_on": _("It overlaps %(term)s.") % {"term": overlapping[0].name}})
    term.save()
    changes = differences(before, _state_of(term))
    if changes:
        record(f"term.{'change' if before else 'create'}", subject=f"term/{term.pk}", name=term.name, changes=changes)
    return term


@transaction.atomic
def remove_term(*, code: str) -> None:
    """Forget a term that has not begun.

    Raises:
        NotFound: there is none of this code that is still to come.
    """
    term = Term.objects.select_for_update().filter(code=code, starts_on__gt=clock.local_day(clock.now())).first()
    if term is None:
        raise NotFound(_("There is no such term that is still to come."))
    record("term.delete", subject=f"term/{term.pk}", name=term.name, changes=differences({}, _state_of(term)))
    term.delete()


def _state_of(term: Term) -> dict[str, Any]:
    return {"name": term.name, "starts_on": term.starts_on, "ends_on": term.ends_on}
