"""What is late, what is today's and what can wait, by the person's own clock."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.tasks.models import Task
from apps.web.sections import by_due

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
TOKYO = ZoneInfo("Asia/Tokyo")


def due(title: str, at: datetime | None) -> Task:
    return Task(title=title, due_at=at)


def day(title: str, on: date) -> Task:
    return Task(title=title, due_on=on)


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


def test_a_day_is_late_when_it_is_over_and_not_before() -> None:
    tasks = [
        day("yesterday", date(2026, 11, 19)),
        day("today", date(2026, 11, 20)),
        day("tomorrow", date(2026, 11, 21)),
    ]

    assert titles(tasks, LONDON) == {"overdue": ["yesterday"], "today": ["today"], "later": ["tomorrow"]}
    assert titles(tasks, TOKYO) == {"overdue": ["yesterday", "today"], "today": ["tomorrow"]}


def subtask(title: str, parent: Task, **fields: Any) -> Task:
    return Task(title=title, parent=parent, **fields)


def test_a_subtask_stands_beneath_its_parent_wherever_the_parent_came_in_the_order() -> None:
    party = due("party", NOW + timedelta(days=3))
    cake = subtask("cake", party)
    flour = subtask("flour", cake, due_at=NOW + timedelta(days=2))

    [later] = by_due([flour, party, cake], now=NOW, zone=LONDON)

    [top] = later.entries
    assert (later.name, top.task, top.subtasks[0].task) == ("later", party, cake)
    assert [entry.task for entry in top.subtasks[0].subtasks] == [flour]
    assert later.tasks == [party, cake, flour]


def test_a_late_subtask_does_not_hide_under_what_can_wait() -> None:
    party = due("party", None)
    invitations = subtask("invitations", party, due_on=date(2026, 11, 1))

    assert titles([invitations, party], LONDON) == {"overdue": ["invitations"], "someday": ["party"]}


def test_a_subtask_whose_parent_is_not_shown_stands_for_itself() -> None:
    assert titles([subtask("cake", due("party", None))], LONDON) == {"someday": ["cake"]}
