"""What the fields of tasks, lists and tags may hold. Pure: no database, no clock.

Each function takes a value as somebody gave it and returns it as it is kept, or raises `InvalidTask`.
"""

import unicodedata
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

from apps.tasks.exceptions import InvalidTask, StatusNeedsVerb
from apps.tasks.models import MAX_DESCRIPTION_BYTES, MAX_NAME_LENGTH, MAX_TAGS, MAX_TITLE_LENGTH, Task

# Whatever the time zone, what lies between these has a date and an instant.
EARLIEST_DUE = datetime(1970, 1, 2, tzinfo=UTC)
LATEST_DUE = datetime(9000, 1, 1, tzinfo=UTC)
LARGEST_POSITION = Decimal(10) ** 19
# As many decimals as the column has, so that "is it changed?" compares like with like.
_POSITION_STEP = Decimal(1).scaleb(-20)
_DIGITS = Context(prec=40)

VERB_OF_STATUS = {Task.Status.COMPLETED: "complete", Task.Status.DELETED: "delete"}

# They turn the direction of the text around them, also of text that is not theirs.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def checked_title(title: str) -> str:
    return _one_line(title, field="title", most=MAX_TITLE_LENGTH)


def checked_name(name: str) -> str:
    return _one_line(name, field="name", most=MAX_NAME_LENGTH)


def folded(name: str) -> str:
    """A name as it is compared, at most three times as long: neither case nor composition of characters counts."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def checked_description(description: str) -> str:
    if len(_encoded(description, field="description")) > MAX_DESCRIPTION_BYTES:
        raise InvalidTask(field="description", reason=f"A description has at most {MAX_DESCRIPTION_BYTES:,} bytes.")
    return description


def checked_status(status: str, *, before: str) -> str:
    """A status that needs no verb. Raises `StatusNeedsVerb` for the others, `InvalidTask` for none at all."""
    if status == before:
        return status
    _check_choice(status, Task.Status.values, field="status")
    if before == Task.Status.COMPLETED:
        raise StatusNeedsVerb(status=before, verb="reopen")
    if verb := VERB_OF_STATUS.get(Task.Status(status)):
        raise StatusNeedsVerb(status=status, verb=verb)
    return status


def checked_priority(priority: str) -> str:
    _check_choice(priority, Task.Priority.values, field="priority")
    return priority


def checked_due_at(due_at: datetime | None) -> datetime | None:
    if due_at is not None and not EARLIEST_DUE <= due_at <= LATEST_DUE:
        raise InvalidTask(field="due_at", reason="A due lies between the years 1970 and 9000.")
    return due_at.astimezone(UTC) if due_at else None


def checked_due_on(due_on: date | None) -> date | None:
    if due_on is not None and not EARLIEST_DUE.date() <= due_on <= LATEST_DUE.date():
        raise InvalidTask(field="due_on", reason="A due lies between the years 1970 and 9000.")
    return due_on


def checked_position(position: Decimal) -> Decimal:
    if not position.is_finite() or abs(position) >= LARGEST_POSITION:
        raise InvalidTask(
            field="position", reason=f"A position lies between -{LARGEST_POSITION} and {LARGEST_POSITION}."
        )
    return position.quantize(_POSITION_STEP, context=_DIGITS)


def position_at(now: datetime) -> Decimal:
    """Where a new thing stands: after all that were made before it."""
    return Decimal(str(now.timestamp())).quantize(_POSITION_STEP, context=_DIGITS)


def position_text(position: Decimal) -> str:
    """All digits of a position, without the zeros at its end."""
    return f"{position:f}".rstrip("0").rstrip(".") if position % 1 else f"{position:.0f}"


def checked_tag_names(names: Sequence[str]) -> list[str]:
    """Each name once, in the order given."""
    kept: dict[str, str] = {}
    for name in names:
        try:
            checked = checked_name(name)
        except InvalidTask as reason:
            raise InvalidTask(field="tags", reason=str(reason)) from reason
        kept.setdefault(folded(checked), checked)
    check_number_of_tags(kept)
    return list(kept.values())


def check_number_of_tags(tags: Collection[Any]) -> None:
    if len(tags) > MAX_TAGS:
        raise InvalidTask(field="tags", reason=f"A task has at most {MAX_TAGS} tags.")


def _check_choice(value: str, choices: Collection[str], *, field: str) -> None:
    if value not in choices:
        raise InvalidTask(field=field, reason=f"{value} is none of: {', '.join(choices)}.")


def _one_line(text: str, *, field: str, most: int) -> str:
    _encoded(text, field=field)
    text = unicodedata.normalize("NFC", text).strip()
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text):
        raise InvalidTask(field=field, reason=f"A {field} is one line: it holds no line breaks or control characters.")
    if _DIRECTION.intersection(text):
        raise InvalidTask(field=field, reason=f"A {field} holds no characters that turn the direction of text.")
    # Format characters alone show nothing; between others they join emoji and letters, and are kept.
    if not any(unicodedata.category(character)[0] not in "CZ" for character in text):
        raise InvalidTask(field=field, reason=f"A {field} needs at least one character that can be seen.")
    if len(text) > most:
        raise InvalidTask(field=field, reason=f"A {field} has at most {most} characters.")
    return text


def _encoded(text: str, *, field: str) -> bytes:
    if "\0" in text:
        raise InvalidTask(field=field, reason="NUL characters cannot be kept.")
    try:
        return text.encode()
    except UnicodeEncodeError as reason:
        raise InvalidTask(field=field, reason="Half of a surrogate pair is no character.") from reason
