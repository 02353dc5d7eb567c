"""What is late, what is today's and what can wait, by the person's own clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.tasks.models import Task
from apps.web.sections import by_due

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
TOKYO = ZoneInfo("Asia/Tokyo")


def due(title: str, at: datetime | None) -> Task:
    return Task(title=title, due_at=at)


def titles(tasks: list[Task], zone: ZoneInfo) -> dict[str, list[str]]:
    return {section.name: [task.title for task in section.tasks] for section in by_due(tasks, now=NOW, zone=zone)}


def test_tasks_are_sorted_by_how_soon_they_are_due() -> None:
    tasks = [
        due("late", NOW - timedelta(seconds=1)),
        due("now", NOW),
        due("tonight", NOW + timedelta(minutes=29)),
        due("tomorrow", NOW + timedelta(minutes=30)),
        due("whenever", None),
    ]

    assert titles(tasks, LONDON) == {
        "overdue": ["late"],
        "today": ["now", "tonight"],
        "later": ["tomorrow"],
        "someday": ["whenever"],
    }


def test_today_is_the_day_of_the_persons_own_clock() -> None:
    in_an_hour = due("in an hour", NOW + timedelta(hours=1))

    assert titles([in_an_hour], LONDON) == {"later": ["in an hour"]}
    assert titles([in_an_hour], TOKYO) == {"today": ["in an hour"]}


def test_empty_sections_are_left_out() -> None:
    assert by_due([], now=NOW, zone=LONDON) == []
