"""Fields of bodies and answers that read or show more than REST framework's own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils import html

from apps.tasks import schemas, selectors, words
from apps.tasks.models import MAX_NAME_LENGTH, MAX_TAGS


class CommaSeparatedField(serializers.ListField):
    """In a browser's form one line: commas between the entries, quotation marks around one that has a comma itself."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("style", {"template": "rest_framework/horizontal/comma_separated.html"})
        super().__init__(**options)

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        if not html.is_html_input(dictionary):
            return super().get_value(dictionary)
        typed = dictionary.get(str(self.field_name), empty)
        if not isinstance(typed, str):  # left out, or a file
            return typed
        return words.separated(typed)

    def to_internal_value(self, data: Any) -> Any:
        # Before each entry is looked at: a body has room for a third of a million of them, and for a reason each.
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            raise serializers.ValidationError(f"At most {self.max_length} entries.", code="max_length")
        return super().to_internal_value(data)


class TagNamesField(CommaSeparatedField):
    def __init__(self, **options: Any) -> None:
        options.setdefault("child", serializers.CharField(max_length=MAX_NAME_LENGTH))
        super().__init__(max_length=MAX_TAGS, required=False, **options)


class WordField(serializers.ChoiceField):
    """Tells what may be chosen when something else was."""

    def __init__(self, choices: Any, **options: Any) -> None:
        words = [one if isinstance(one, str) else one[0] for one in choices]
        told = "{input} is none of: " + ", ".join(words) + "."
        super().__init__(choices, error_messages={"invalid_choice": told}, **options)


class StatusField(WordField):
    """Forms offer what can be set; the rest has verbs."""

    def iter_options(self) -> Any:
        return (option for option in super().iter_options() if option.value in selectors.OPEN)


class DueAtField(serializers.DateTimeField):
    """An instant with its offset, or a wall-clock time that the task's time zone will place.

    A line of text in forms: a browser's own field for it has no offset, and would move what it shows.
    """

    def __init__(self, **options: Any) -> None:
        style = {"input_type": "text", "placeholder": "2030-05-03T09:00, yours, or 2030-05-03T09:00+02:00"}
        super().__init__(style=style, **options)

    def enforce_timezone(self, value: datetime) -> datetime:
        return value


class Words(str):
    """Plain words where JSON could stand: forms show them as they are, without the quotation marks of JSON."""

    __slots__ = ()
    is_json_string = True


class IntentField(serializers.JSONField):
    """Checked by the services. In forms also plain words, and nothing for nothing said."""

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        typed = dictionary.get(str(self.field_name), empty)
        if not html.is_html_input(dictionary) or typed is empty:
            return super().get_value(dictionary)
        if not isinstance(typed, str):  # a file
            return typed
        if not typed.strip():
            return None
        return super().get_value(dictionary) if typed.strip()[0] in '{["n' else Words(typed)

    def to_internal_value(self, data: Any) -> Any:
        return str(data) if isinstance(data, Words) else super().to_internal_value(data)

    def to_representation(self, value: Any) -> Any:
        return Words(value) if isinstance(value, str) else super().to_representation(value)


@extend_schema_field(schemas.RECURRENCE)
class RecurrenceField(IntentField):
    pass


@extend_schema_field(schemas.REMINDERS)
class RemindersField(IntentField):
    pass


@extend_schema_field(schemas.POSITION)
class PositionField(serializers.DecimalField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=40, decimal_places=20, **options)
