"""OpenAPI of the values that are more than a field: recurrence, reminders, position, links."""

from typing import Any

_WALLS: dict[str, Any] = {
    "type": "array",
    "maxItems": 100,
    "items": {"type": "string", "pattern": "^[0-9]{8}(T[0-9]{6})?$"},
    "example": ["20301224"],
}
RECURRENCE: dict[str, Any] = {
    "description": "How it repeats: words (`daily`, `every 2 weeks on mon, thu`, `every 3 days after completion`), an "
    "RFC 5545 RRULE, or an object with policies. An object says all; words and an RRULE keep the "
    "`month_end` and `catch_up` that there were, and the dates left out or put in as long as the rule is the same. "
    "Answers always have the object.",
    "oneOf": [
        {"type": "string", "maxLength": 1000, "example": "weekly"},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["rule"],
            "properties": {
                "rule": {
                    "type": "string",
                    "maxLength": 1000,
                    "example": "FREQ=WEEKLY;BYDAY=MO,TH",
                    "description": "Words or an RRULE. Answers have the RRULE, without the SKIP of RFC 7529, which is "
                    "`month_end`.",
                },
                "from": {
                    "type": "string",
                    "enum": ["schedule", "completion"],
                    "default": "schedule",
                    "description": "Whether the next one counts from the rule's dates or from when this one is done.",
                },
                "month_end": {
                    "type": "string",
                    "enum": ["clamp", "skip", "roll"],
                    "default": "clamp",
                    "description": "What the 31st becomes in a shorter month: its last day, nothing, the next day.",
                },
                "catch_up": {
                    "type": "string",
                    "enum": ["latest", "all", "wait", "skip"],
                    "default": "latest",
                    "description": "What becomes of dates that passed unseen.",
                },
                "exdates": {
                    **_WALLS,
                    "description": "Dates left out, as calendar and clock show them in the task's time zone: days "
                    "where the due is one, else with the time, as 20301224T090000. Answers have it where there are "
                    "any.",
                },
                "rdates": {**_WALLS, "description": "Dates beside those of the rule, written alike."},
            },
        },
    ],
    "example": {"rule": "FREQ=WEEKLY;BYDAY=MO,TH", "from": "schedule", "month_end": "clamp", "catch_up": "latest"},
}

REMINDERS: dict[str, Any] = {
    "description": "When to be reminded. null is your default (30 minutes before; 09:00 on a day without an hour), "
    "[] is none. Each is at an instant (`trigger_at`) or before due (`before_due`, an ISO 8601 duration; a day counts "
    "from 09:00 in your time zone). Leave `id` out for a new one; give it to keep the one you have.",
    "type": "array",
    "maxItems": 20,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "trigger_at": {"type": "string", "format": "date-time"},
            "before_due": {"type": "string", "example": "PT30M"},
        },
    },
    "example": [{"before_due": "PT30M"}],
}

POSITION: dict[str, Any] = {
    "type": "string",
    "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$",
    "example": "1795250400.5",
}

_ADDRESS = {"type": "string", "format": "uri"}
LINKS: dict[str, Any] = {
    "type": "object",
    "required": ["list", "parent", "subtasks", "recurrence", "reminders", "notifications", "audit"],
    "properties": {
        "list": {"type": ["string", "null"], "format": "uri"},
        "parent": {"type": ["string", "null"], "format": "uri"},
        "subtasks": _ADDRESS,
        "recurrence": _ADDRESS,
        "reminders": _ADDRESS,
        "notifications": _ADDRESS,
        "audit": _ADDRESS,
    },
}
