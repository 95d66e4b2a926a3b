"""Who acts, and what looking at the chain finds."""

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Through(TextChoices):
    """The door an act came through."""

    PAGE = "page", _("Page")
    API = "api", _("API")
    COMMAND = "command", _("Command")
    SYSTEM = "system", _("The product itself")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does what happens now.

    Args:
        user_id: the person; None for a command or the product itself.
        name: how the person is called at this moment, or the command.
        address: the network address, if there is one.
    """

    user_id: int | None = None
    name: str = ""
    through: Through = Through.SYSTEM
    address: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `audit.selectors.verify` found.

    Args:
        entries: how many entries were read.
        anchors: how many anchors outside the database were compared.
        number: the first entry that is wrong or missing; None when there is none.
        problem: a sentence about it, in English: for operators.
    """

    entries: int
    anchors: int
    number: int | None = None
    problem: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether every entry is the one that was written, and none is missing."""
        return not self.problem
