"""The audit log as the resource API reads it."""

from rest_framework import serializers

from audit.models import Entry


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """One act; `changes` holds what was and what is, by field."""

    class Meta:
        model = Entry
        fields = (
            "number",
            "at",
            "actor_id",
            "actor",
            "through",
            "address",
            "action",
            "subject",
            "name",
            "changes",
            "reason",
            "seal",
        )
