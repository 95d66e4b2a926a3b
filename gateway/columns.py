"""What the catalog's columns of JSON may hold."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

MOST_WEIGHT = 16  # prompts one call may weigh (contract, C02)
MOST_MONEY = 10**12  # micro-units: a million of any currency


@deconstructible
class ListOf:
    """The value is a list of some of these choices."""

    def __init__(self, choices: type[TextChoices]) -> None:
        self.choices = choices

    def __call__(self, value: Any) -> None:
        if not isinstance(value, list) or not all(item in self.choices.values for item in value):
            raise ValidationError(_("This must be a list of: %(names)s."), params={"names": ", ".join(self.choices)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ListOf) and other.choices is self.choices

    def __hash__(self) -> int:
        return hash(self.choices)


def check_weights(value: Any) -> None:
    """The value is an object of whole numbers of prompts, 1 to MOST_WEIGHT."""
    weights = value.values() if isinstance(value, dict) else [None]
    if not all(type(weight) is int and 1 <= weight <= MOST_WEIGHT for weight in weights):
        raise ValidationError(
            _("Every weight must be a whole number from 1 to %(most)d."), params={"most": MOST_WEIGHT}
        )
