"""Requests as the API's documentation shows them."""

from drf_spectacular.utils import OpenApiExample


def _request(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


SKIPS = [_request("The next", {}), _request("A date", {"recurrence_id": "20300510"})]
RECURRENCES = [
    _request("In words", {"recurrence": "every 2 weeks on mon, thu"}),
    _request("The last day of each month", {"recurrence": {"rule": "FREQ=MONTHLY;BYMONTHDAY=-1", "catch_up": "wait"}}),
]
CHANGES_OF_OCCURRENCES = [
    _request("Another title, for this one only", {"scope": "this", "title": "Water the plants, and the cactus"}),
    _request("Another time of day from here on", {"scope": "following", "due_at": "2030-05-03T18:00:00"}),
]
# In an address.
ASKED = {
    "recurrence": [
        OpenApiExample("Words", value="every month on the last day"),
        OpenApiExample("An RRULE", value="FREQ=MONTHLY;BYDAY=-1FR"),
    ]
}
PREVIEWS = [
    _request("Words", {"recurrence": "every month on the last day", "due_on": "2030-01-31"}),
    _request(
        "Completed late",
        {"recurrence": "daily", "due_at": "2030-05-03T09:00:00", "completed_at": "2030-05-06T12:00:00Z"},
    ),
]
