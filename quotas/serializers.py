"""Rules and grants as the resource API reads and writes them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.models import Department, User
from accounts.types import Role
from quotas.models import Grant, Quota
from quotas.types import LARGEST_AMOUNT, Period, Unit

_NOBODY = _("Nobody has this e-mail address.")


class QuotaSerializer(serializers.ModelSerializer[Quota]):
    """A rule. Writing one puts it in force in place of the rule of the same kind for the same people."""

    limit = serializers.IntegerField(min_value=0, max_value=LARGEST_AMOUNT, allow_null=True)
    role = serializers.ChoiceField(choices=Role.choices, allow_blank=True, default="")
    department = serializers.SlugRelatedField(
        slug_field="code", queryset=Department.objects.all(), allow_null=True, default=None
    )
    person = serializers.SlugRelatedField(
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
            "person",
            "starts_at",
            "ends_at",
            "reason",
        )
        read_only_fields = ("starts_at", "ends_at")
        # The service replaces the rule in force; the form of the row alone would refuse its successor.
        validators = ()

    def rule(self) -> dict[str, Any]:
        """What `quotas.services.set_quota` takes."""
        data: dict[str, Any] = dict(self.validated_data)
        user, department = data.pop("user"), data.pop("department")
        return data | {"user_id": user and user.pk, "department_id": department and department.pk}


class GrantSerializer(serializers.ModelSerializer[Grant]):
    """Extra units of one person in the present window of one kind of quota."""

    person = serializers.SlugRelatedField(
        source="allowance.user",
        slug_field="email",
        queryset=User.objects.all(),
        error_messages={"does_not_exist": _NOBODY},
    )
    amount = serializers.IntegerField(min_value=1, max_value=LARGEST_AMOUNT)
    unit = serializers.ChoiceField(source="allowance.unit", choices=Unit.choices, default=Unit.PROMPTS)
    period = serializers.ChoiceField(source="allowance.period", choices=Period.choices, default=Period.MONTH)
    scope = serializers.CharField(source="allowance.scope", max_length=140, allow_blank=True, default="")
    granted_by: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(slug_field="email", read_only=True)

    class Meta:
        model = Grant
        fields = ("id", "person", "amount", "unit", "period", "scope", "reason", "granted_by", "at")
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
        }
