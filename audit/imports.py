"""The pages where administrators import a file: what would change is shown first, and done when it is confirmed.

`components/import.html` shows it. It stands beside the log because an import is an act.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from core.errors import DomainError
from core.forms import LinesForm
from core.sheets import UnreadableSheet

MOST_SHOWN = 200  # lines of a difference: beyond it nobody reads


class Imported(Protocol):
    """What one line does, or would do."""

    @property
    def line(self) -> int:
        """Its number in the file."""

    @property
    def subject(self) -> str:
        """To whom or what."""

    @property
    def action(self) -> Literal["create", "update", "same"]:
        """In a word."""

    @property
    def changes(self) -> Mapping[str, tuple[str, str]]:
        """What was and what is, by field."""


def answer_import(
    request: HttpRequest,
    form: LinesForm,
    act: Callable[[Iterable[str], bool], Sequence[Imported]],
    *,
    template: str,
    done: str,
) -> HttpResponse:
    """The page of an import.

    Args:
        form: bound where something was sent.
        act: imports these lines or, when the second argument is true, tells only what would change.
        done: the name of the page to go on to.
    """
    if not form.is_valid():
        return render(request, template, {"form": form}, status=400 if form.errors else 200)
    is_dry = "confirm" not in request.POST
    kept = type(form)(initial={**form.cleaned_data, "file": None, "text": form.lines})
    try:
        rows = act(form.lines.splitlines(keepends=True), is_dry)
    except UnreadableSheet as error:
        told = {"problems": error.problems[:MOST_SHOWN], "unshown": len(error.problems) - MOST_SHOWN}
        return render(request, template, {"form": kept, **told}, status=400)
    except DomainError as error:
        form.add_error(error.param if error.param in form.fields else None, str(error.message))
        return render(request, template, {"form": form}, status=400)
    counts = Counter(row.action for row in rows)
    if not is_dry:
        said = _("The file is imported: %(create)s are new, %(update)s changed, %(same)s as they were.")
        messages.success(request, said % {action: counts[action] for action in ("create", "update", "same")})
        return redirect(done)
    changes = [row for row in rows if row.action != "same"]
    context: dict[str, Any] = {"is_preview": True, "changes": changes[:MOST_SHOWN], "counts": dict(counts)}
    return render(request, template, {"form": kept, "unshown": len(changes) - MOST_SHOWN, **context})
