"""Requests as the API's documentation shows them."""

from drf_spectacular.utils import OpenApiExample

_A_TASK = "018f0000-0000-7000-8000-000000000001"
_ANOTHER = "018f0000-0000-7000-8000-000000000002"


def _request(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


NEW_TASKS = [
    _request("A title is enough", {"title": "Buy milk"}),
    _request(
        "With an hour, tags and a reminder",
        {
            "title": "Call the dentist",
            "priority": "high",
            "due_at": "2030-05-03T09:00:00",
            "due_time_zone": "Europe/London",
            "tags": ["health"],
            "reminders": [{"before_due": "PT30M"}],
        },
    ),
    _request("On a day, every month", {"title": "Pay the rent", "due_on": "2030-05-01", "recurrence": "monthly"}),
]
CHANGES_OF_A_TASK = [
    _request("Start it", {"status": "in_progress"}),
    _request("Move its due to a day", {"due_on": "2030-05-04"}),
]
SNOOZES = [
    _request("Until tomorrow", {"until": "tomorrow"}),
    _request("Until an instant", {"until": "2030-05-03T09:00:00+02:00"}),
]
TAG_CHANGES = [_request("One comes, one goes", {"add": ["errands"], "remove": ["home"]})]
BULK = [
    _request("Complete two", {"action": "complete", "tasks": [_A_TASK, _ANOTHER]}),
    _request("Out of their lists", {"action": "move", "tasks": [_A_TASK], "list": None}),
]
LISTS = [_request("A list", {"name": "Shopping"})]
TAGS = [_request("A tag", {"name": "errands"})]
