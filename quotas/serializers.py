"""Rules and grants as the resource API reads and writes them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.models import Department, User
from accounts.types import Role
from core.clock import KNOWN_INSTANTS
from core.serializers import ExactSerializer, NameField, WholeNumberField
from courses.models import Course
from quotas.models import Grant, Offer, Pool, Purchase, Quota, Request
from quotas.types import LARGEST_AMOUNT, LEDGER_UNITS, LONGEST_SCOPE, Period, Unit, WhenEmpty

_NOBODY = _("Nobody has this e-mail address.")
_UNITS = [(unit.value, unit.label) for unit in LEDGER_UNITS]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "For every student",
            {"limit": 30, "unit": "prompts", "period": "month", "role": "student", "reason": "Exams"},
            request_only=True,
        )
    ]
)
class QuotaSerializer(ExactSerializer, serializers.ModelSerializer[Quota]):
    """A rule. Writing one puts it in force in place of the rule of the same kind for the same people."""

    limit = WholeNumberField(min_value=0, max_value=LARGEST_AMOUNT, allow_null=True)
    starts_at = serializers.DateTimeField(
        allow_null=True, default=None, validators=KNOWN_INSTANTS, help_text=_("To come; null: at once.")
    )
    role = serializers.ChoiceField(choices=Role.choices, allow_blank=True, default="")
    department = NameField(slug_field="code", queryset=Department.objects.all(), allow_null=True, default=None)
    course = NameField(slug_field="code", queryset=Course.objects.all(), allow_null=True, default=None)
    person = NameField(
        source="user",
        slug_field="email",
        queryset=User.objects.all(),
        allow_null=True,
        default=None,
        error_messages={"does_not_exist": _NOBODY},
    )

    class Meta:
        model = Quota
        fields = (
            "id",
            "name",
            "unit",
            "period",
            "scope",
            "limit",
            "role",
            "department",
            "course",
            "person",
            "starts_at",
            "ends_at",
            "reason",
        )
        read_only_fields = ("ends_at",)
        # The service replaces the rule in force; the form of the row alone would refuse its successor.
        validators = ()

    def rule(self) -> dict[str, Any]:
        """What `quotas.services.set_quota` takes."""
        data: dict[str, Any] = dict(self.validated_data)
        whom = {f"{name}_id": (found := data.pop(name)) and found.pk for name in ("user", "department", "course")}
        return data | whom


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Ten more this month",
            {"person": "sara@example.edu", "amount": 10, "unit": "prompts", "reason": "A report"},
            request_only=True,
        )
    ]
)
class GrantSerializer(ExactSerializer, serializers.ModelSerializer[Grant]):
    """Extra units of one person: in the present window of one kind of quota, or until `expires_at`."""

    person = NameField(
        source="allowance.user",
        slug_field="email",
        queryset=User.objects.all(),
        error_messages={"does_not_exist": _NOBODY},
    )
    amount = WholeNumberField(min_value=1, max_value=LARGEST_AMOUNT)
    unit = serializers.ChoiceField(source="allowance.unit", choices=Unit.choices, default=Unit.PROMPTS)
    period = serializers.ChoiceField(source="allowance.period", choices=Period.choices, default=Period.MONTH)
    scope = serializers.CharField(source="allowance.scope", max_length=LONGEST_SCOPE, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(
        source="allowance.expires_at",
        allow_null=True,
        default=None,
        validators=KNOWN_INSTANTS,
        help_text=_("null: with the window."),
    )
    granted_by: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(slug_field="email", read_only=True)

    class Meta:
        model = Grant
        fields = ("id", "person", "amount", "unit", "period", "scope", "expires_at", "reason", "granted_by", "at")
        read_only_fields = ("at",)

    def given(self) -> dict[str, Any]:
        """What `quotas.services.grant` takes."""
        data: dict[str, Any] = dict(self.validated_data)
        allowance = data.pop("allowance")
        return data | {
            "user_id": allowance["user"].pk,
            "unit": Unit(allowance["unit"]),
            "period": Period(allowance["period"]),
            "scope": allowance["scope"],
            "expires_at": allowance["expires_at"],
        }


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "For a course",
            {"amount": 30, "unit": "prompts", "course": "COMP1117", "reason": "The final project"},
            request_only=True,
        )
    ]
)
class RequestSerializer(ExactSerializer, serializers.ModelSerializer[Request]):
    """A wish for more. Writing one asks for oneself; deciding is an act of its own."""

    person: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        source="user", slug_field="email", read_only=True
    )
    unit = serializers.ChoiceField(choices=_UNITS, default=Unit.PROMPTS)
    amount = WholeNumberField(min_value=1, max_value=LARGEST_AMOUNT)
    course = NameField(slug_field="code", queryset=Course.objects.all(), allow_null=True, default=None)
    granted = serializers.IntegerField(source="grant.amount", default=None, read_only=True, allow_null=True)
    decided_by = serializers.EmailField(source="decided_by.email", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Request
        fields = (
            "id",
            "person",
            "unit",
            "amount",
            "course",
            "reason",
            "state",
            "granted",
            "answer",
            "decided_by",
            "asked_at",
            "decided_at",
        )
        read_only_fields = ("state", "answer", "asked_at", "decided_at")
        validators = ()


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A part of it",
            {"decision": "grant", "amount": 20, "answer": "Enough for the first draft."},
            request_only=True,
        )
    ]
)
class DecisionSerializer(ExactSerializer):
    """What is decided about a request; a refusal needs its `answer`."""

    decision = serializers.ChoiceField(choices=["grant", "refuse"])
    amount = WholeNumberField(min_value=1, max_value=LARGEST_AMOUNT, allow_null=True, default=None)
    answer = serializers.CharField(max_length=240, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(allow_null=True, default=None, validators=KNOWN_INSTANTS)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Ten for each student",
            {"course": "COMP1117", "unit": "prompts", "cap": 10, "when_empty": "refuse"},
            request_only=True,
        )
    ]
)
class PoolSerializer(ExactSerializer, serializers.ModelSerializer[Pool]):
    """A course's own units. Writing one opens it or changes how it works; its unit stays as it was opened."""

    course = NameField(slug_field="code", queryset=Course.objects.all())
    unit = serializers.ChoiceField(choices=_UNITS, default=Unit.PROMPTS)
    when_empty = serializers.ChoiceField(choices=WhenEmpty.choices, default=WhenEmpty.PERSONAL)
    is_open = serializers.BooleanField(default=True)
    cap = WholeNumberField(
        min_value=0, max_value=LARGEST_AMOUNT, allow_null=True, default=None, help_text=_("Of one student; null: none.")
    )
    granted = serializers.IntegerField(read_only=True)
    used = serializers.IntegerField(read_only=True)
    held = serializers.IntegerField(read_only=True)

    class Meta:
        model = Pool
        fields = ("course", "unit", "when_empty", "is_open", "cap", "granted", "used", "held", "changed_at")

    def pool(self) -> dict[str, Any]:
        """What `quotas.services.set_pool` takes."""
        data: dict[str, Any] = dict(self.validated_data)
        return data | {
            "course_id": data.pop("course").pk,
            "unit": Unit(data["unit"]),
            "when_empty": WhenEmpty(data["when_empty"]),
        }


@extend_schema_serializer(
    examples=[OpenApiExample("From a fund", {"amount": 5000, "reason": "Fund 7"}, request_only=True)]
)
class FillSerializer(ExactSerializer):
    """Units for a pool, and why."""

    amount = WholeNumberField(min_value=1, max_value=LARGEST_AMOUNT)
    reason = serializers.CharField(max_length=240)


@extend_schema_serializer(
    examples=[
        OpenApiExample("Fifty prompts", {"unit": "prompts", "amount": 50, "price_micro": 10000000}, request_only=True)
    ]
)
class OfferSerializer(ExactSerializer, serializers.ModelSerializer[Offer]):
    """Units for sale. Writing one puts it in the place of the same units at another price."""

    unit = serializers.ChoiceField(choices=_UNITS, default=Unit.PROMPTS)
    amount = WholeNumberField(min_value=1, max_value=LARGEST_AMOUNT)
    price_micro = WholeNumberField(
        min_value=1, max_value=LARGEST_AMOUNT, help_text=_("In millionths of the installation's currency.")
    )
    is_enabled = serializers.BooleanField(default=True)

    class Meta:
        model = Offer
        fields = ("id", "unit", "amount", "price_micro", "is_enabled")


class PurchaseSerializer(serializers.ModelSerializer[Purchase]):
    """Units somebody bought, or began to buy."""

    person: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        source="user", slug_field="email", read_only=True
    )

    class Meta:
        model = Purchase
        fields = ("reference", "person", "unit", "amount", "price_micro", "currency", "state", "opened_at", "paid_at")
        read_only_fields = fields


@extend_schema_serializer(examples=[OpenApiExample("One offer", {"offer": 1}, request_only=True)])
class NewPurchaseSerializer(ExactSerializer):
    """Which offer to buy; the answer says where it is paid."""

    offer = WholeNumberField(min_value=1, max_value=2**63 - 1, write_only=True)
    pay_at = serializers.URLField(read_only=True)
