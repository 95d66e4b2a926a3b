"""Why a roster is not imported."""

from django.utils.translation import gettext_lazy as _

from core.errors import InvalidRequest


class UnreadableRoster(InvalidRequest):
    """A roster has lines that cannot be imported; none of it was.

    Args:
        problems: line number in the file (1 is the first line) and the sentence about it.
    """

    code = "unreadable_roster"
    message = _("The roster was not imported: some lines need mending.")

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        super().__init__()
        self.problems = problems
