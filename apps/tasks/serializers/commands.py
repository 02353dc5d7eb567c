"""The bodies of the verbs, and what a bulk answers."""

from collections import Counter
from typing import Any, get_args

from rest_framework import serializers
from rest_framework.utils import html

from apps.accounts.serializers import RefusesUnknownFields
from apps.tasks.serializers.fields import CommaSeparatedField, TagNamesField, WordField
from apps.tasks.services import SeriesOfDeleted
from apps.tasks.services.bulk import MAX_ITEMS


class SnoozeSerializer(RefusesUnknownFields):
    """Until when."""

    until = serializers.CharField(
        max_length=64,
        help_text="later_today, tomorrow, next_week, a duration such as PT15M, a day (2026-05-03) or an instant "
        "(2026-05-03T09:00:00+02:00).",
    )


class TagChangeSerializer(RefusesUnknownFields):
    """Which tags to add and to remove, by name."""

    add = TagNamesField()
    remove = TagNamesField()

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not asked.get("add") and not asked.get("remove"):
            raise serializers.ValidationError("Name tags to `add` or to `remove`.")
        return asked


class BulkSerializer(RefusesUnknownFields):
    """The same for many tasks."""

    # What each action needs beside the tasks, any of it, and what it may have.
    _NEEDED: dict[str, set[str]] = {"move": {"list"}, "tag": {"add", "remove"}}
    _ALLOWED: dict[str, set[str]] = {**_NEEDED, "delete": {"series"}}

    action = WordField(choices=["complete", "reopen", "move", "tag", "delete", "restore"])
    tasks = CommaSeparatedField(
        child=serializers.UUIDField(), min_length=1, max_length=MAX_ITEMS, help_text="Their ids, each once."
    )
    list = serializers.UUIDField(
        required=False, allow_null=True, help_text="With move: the list to move to; null for none."
    )
    add = TagNamesField(help_text="With tag: names to add.")
    remove = TagNamesField(help_text="With tag: names to remove.")
    series = WordField(
        choices=get_args(SeriesOfDeleted),
        required=False,
        help_text="With delete: whether what repeats ends (so when left out) or continues with the next one.",
    )

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if twice := [task_id for task_id, times in Counter(asked["tasks"]).items() if times > 1]:
            raise serializers.ValidationError({"tasks": [f"{twice[0]} is named more than once."]})
        allowed = self._ALLOWED.get(asked["action"], set())
        needed = self._NEEDED.get(asked["action"], set())
        if html.is_html_input(self.initial_data):  # a form sends its empty fields too
            asked = {name: value for name, value in asked.items() if value or name in needed}
        if foreign := sorted(set(asked) - {"action", "tasks"} - allowed):
            raise serializers.ValidationError({foreign[0]: [f"Does not go with {asked['action']}."]})
        if needed and not needed & set(asked):
            raise serializers.ValidationError({min(needed): [f"The action {asked['action']} needs this field."]})
        return asked


class BulkResultSerializer(serializers.Serializer[Any]):
    """What became of one task."""

    id = serializers.UUIDField()
    status = serializers.IntegerField(help_text="As if it had been asked for alone: 200, 404, 409, …")
    version = serializers.IntegerField(required=False, help_text="The task's version now.")
    detail = serializers.CharField(required=False, help_text="Why it was refused.")
    code = serializers.CharField(required=False)


class BulkAnswerSerializer(serializers.Serializer[Any]):
    """One result per task, in the order asked."""

    results = BulkResultSerializer(many=True)
