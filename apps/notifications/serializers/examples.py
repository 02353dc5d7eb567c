"""Requests as the API's documentation shows them."""

from drf_spectacular.utils import OpenApiExample


def _request(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


NEW_REMINDERS = [
    _request("Before due", {"before_due": "PT45M"}),
    _request("At an instant", {"trigger_at": "2026-12-31T08:00:00+01:00"}),
]
SNOOZES = [
    _request("A quarter of an hour", {"until": "PT15M"}),
    _request("Until tomorrow", {"until": "tomorrow"}),
]
PREFERENCES = [
    _request(
        "Quiet nights, a summary each morning", {"quiet_from": "22:00", "quiet_until": "07:00", "digest_at": "08:00"}
    ),
    _request("Overdue tasks by e-mail too", {"switches": {"overdue": {"email": True}}}),
]
WEBHOOKS = [_request("An endpoint", {"url": "https://example.org/hooks/todo", "description": "The kitchen's display"})]
CHANGES_OF_A_WEBHOOK = [_request("Another description", {"description": "The hall's display"})]
REDELIVERIES = [
    _request("All of a morning", {"from": "2026-11-20T00:00:00Z", "to": "2026-11-20T12:00:00Z"}),
    _request("One", {"delivery": "018f0000-0000-7000-8000-000000000003"}),
]
SUBSCRIPTIONS = [
    _request(
        "As a browser tells it",
        {
            "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/gAAAAA",
            "keys": {
                "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                "auth": "BTBZMqHH6r4Tts7J_aSIgg",
            },
            "label": "Firefox on the laptop",
        },
    )
]
