"""What the catalog's columns may hold, where their type alone does not say it."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

MOST_WEIGHT = 16  # prompts one call may weigh (contract, C02)
MOST_MONEY = 10**12  # micro-units: a million of any currency
# Request fields that reach no provider, whatever an administrator allows: they would lead a call elsewhere, speak for
# somebody else, or ask for more than is counted.
_NEVER_SENT = frozenset(
    {
        *("api_base", "api_key", "api_type", "api_version", "azure_endpoint", "base_url", "custom_host", "host", "url"),
        *("custom_llm_provider", "fallbacks", "litellm_params", "model", "model_list", "models", "proxy", "webhook"),
        *("authorization", "credentials", "extra_body", "extra_headers", "extra_query", "headers", "organization"),
        *("role", "safety_identifier", "user", "user_id"),
        *("best_of", "n", "stream"),
    }
)


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


def list_extra_fields(names: str) -> set[str]:
    """The request fields that a column of names lets pass."""
    return {name for name in names.split() if not _is_never_sent(name)}


def check_extra_fields(names: str) -> None:
    """None of the names, which spaces separate, is of a field that must not reach a provider."""
    if refused := sorted(filter(_is_never_sent, names.split())):
        raise ValidationError(
            _(
                "No provider ever gets these fields: %(names)s. They lead a call elsewhere, speak for somebody else, "
                "or ask for more than is counted."
            ),
            params={"names": ", ".join(refused)},
        )


def _is_never_sent(name: str) -> bool:
    return name.lower().replace("-", "_") in _NEVER_SENT


def check_weights(value: Any) -> None:
    """The value is an object of whole numbers of prompts, 1 to MOST_WEIGHT."""
    weights = value.values() if isinstance(value, dict) else [None]
    if not all(type(weight) is int and 1 <= weight <= MOST_WEIGHT for weight in weights):
        raise ValidationError(
            _("Every weight must be a whole number from 1 to %(most)d."), params={"most": MOST_WEIGHT}
        )
