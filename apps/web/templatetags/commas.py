"""Lists as people type them into one field."""

from collections.abc import Sequence

from django import template

from apps.tasks import words

register = template.Library()


@register.filter
def comma_separated(names: Sequence[str] | str) -> str:
    """What was typed stays as it is; a list becomes a line."""
    return names if isinstance(names, str) else words.joined(names)
