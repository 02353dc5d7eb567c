"""How tasks look over REST. Changes nothing: views call services."""

from typing import Any

from rest_framework import serializers

from apps.tasks.models import Task


class RefusesUnknownFields(serializers.Serializer[Any]):
    """A field that is not known is a typing error the caller wants to hear of."""

    def to_internal_value(self, data: Any) -> Any:
        if hasattr(data, "keys"):
            known = {name for name, field in self.fields.items() if not field.read_only}
            # What a browser's form adds by itself is not the caller's doing.
            unknown = sorted(set(data.keys()) - known - {"csrfmiddlewaretoken"})
            if unknown:
                raise serializers.ValidationError(
                    {name: [f"Not a field that can be set. Those are: {', '.join(sorted(known))}."] for name in unknown}
                )
        return super().to_internal_value(data)


class TaskSerializer(RefusesUnknownFields, serializers.ModelSerializer[Task]):
    """A task. `version` counts its events; `status` moves between pending and in_progress, the rest has verbs."""

    url = serializers.HyperlinkedIdentityField(view_name="task-detail", lookup_url_kwarg="task_id")
    # Only these two can be asked for; the others are reached by complete, reopen, delete and restore.
    due_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="The instant it is due, with an offset; null for no due."
    )

    class Meta:
        model = Task
        fields = [
            "id",
            "url",
            "title",
            "description",
            "status",
            "priority",
            "due_at",
            "version",
            "owner",
            "created_at",
            "updated_at",
            "completed_at",
        ]
        read_only_fields = ["id", "version", "owner", "created_at", "updated_at", "completed_at"]
