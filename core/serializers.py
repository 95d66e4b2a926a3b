"""What every body of the resource API is read by: the fields of its table and no other."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework import serializers

SHOWN = 60  # characters of a name that somebody made up


class WholeNumberField(serializers.IntegerField):
    """An integer of JSON, or its digits 0 to 9 in a string: no 1e3, no 3.0, no digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        """The number.

        Raises:
            ValidationError: it is none.
        """
        is_number = isinstance(data, int) and not isinstance(data, bool)
        if not is_number and not (isinstance(data, str) and re.fullmatch(r"-?[0-9]{1,20}", data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class NameField(serializers.SlugRelatedField[Any]):
    """A row by the name that people know it by."""

    def to_internal_value(self, data: Any) -> Any:
        """The row.

        Raises:
            ValidationError: none has that name; no row's has a NUL, which PostgreSQL refuses even to look for.
        """
        if isinstance(data, str) and "\0" in data:
            self.fail(
                "does_not_exist", slug_name=self.slug_field, value=data.replace("\0", "\N{REPLACEMENT CHARACTER}")
            )
        return super().to_internal_value(data)


class ExactSerializer(serializers.Serializer[Any]):
    """Refuses by name what it does not take: a misspelled field would otherwise be a change that never happens.

    Stands before the serializer it makes exact: `class CourseSerializer(ExactSerializer, ModelSerializer[Course])`.
    """

    # For those that are made from a model's columns.
    serializer_field_mapping: ClassVar = {
        column: WholeNumberField if issubclass(field, serializers.IntegerField) else field
        for column, field in serializers.ModelSerializer.serializer_field_mapping.items()
    }

    def to_internal_value(self, data: Any) -> Any:
        """What was sent, as columns.

        Raises:
            ValidationError: a field that is not known or cannot be written, or one that does not hold what it should.
        """
        problems = self._problems(data) if isinstance(data, Mapping) else {}
        try:
            taken = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                error.detail.update(problems)
            raise
        if problems:
            raise serializers.ValidationError(problems)
        return taken

    def _problems(self, data: Mapping[str, object]) -> dict[str, Any]:
        problems: dict[str, Any] = {}
        for name in data:
            if name not in self.fields:
                problems[name[:SHOWN]] = [_("This field is not known here.")]
            elif self.fields[name].read_only:
                problems[name] = [_("This field is shown and cannot be written.")]
        return problems
