"""What holds of all series, whatever people do and however often or late the group is told.

`Promises.hold` is asked after every step; `hold_at_rest` when nothing waits any more.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.calendar import zones
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import parse_wall, wall_text
from apps.events.models import DeadLetter, Event
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.schedule import alike, schedule_of
from apps.tasks import services as tasks
from apps.tasks.exceptions import TaskRefused
from apps.tasks.models import Task

OPEN = {"pending", "in_progress"}
# From what a person did to the last that it leads to: deleted → with it its part → generated → created → its part.
MOST_EFFECTS_IN_A_ROW = 6


class Promises:
    """Remembers what cannot be seen afterwards: which tasks were ever done, and which copies were looked at."""

    def __init__(self) -> None:
        self.ever_done: set[UUID] = set()
        self.seen: set[int] = set()

    def hold(self) -> None:
        self._read()
        assert not DeadLetter.objects.exists(), "an event was given up"
        told = sum(event["type"] == "recurrence.generated.v1" for events in self.events.values() for event in events)
        made = Occurrence.objects.filter(number__gt=1).count()
        assert told == made, "an occurrence without its event, or the reverse"
        for series in self.series:
            self._numbers_have_no_hole(series)
            self._each_is_one_persons(series)
            for event in self._generated(series):
                self._comes_when_it_may(event)
                if event["position"] not in self.seen and not self._changed_since(event, series):
                    self._is_a_copy(event, series)
                self.seen.add(event["position"])
            self._no_date_is_lost(series)

    def hold_at_rest(self) -> None:
        self._read()
        self._effects_end()
        for series in self.series:
            if series.is_active and series.paused_at is None:
                assert self.tasks[series.last_task_id].status in OPEN, "a series stands still"
            self._open_ones_carry_what_it_does(series)
        known = {series.pk for series in self.series}
        for task in self.tasks.values():
            assert task.recurrence is None or task.series_id in known, "a task repeats without a series"

    def _read(self) -> None:
        self.tasks: dict[UUID, Task] = {task.pk: task for task in Task.objects.select_related("owner")}
        self.series = list(Series.objects.all())
        self.made: dict[UUID, list[Occurrence]] = defaultdict(list)
        for one in Occurrence.objects.order_by("number"):
            self.made[one.series_id].append(one)
        self.events: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        told = Event.objects.filter(type__startswith="recurrence.").order_by("position")
        for event in told.values("position", "type", "subject_id", "data"):
            self.events[event["subject_id"]].append(dict(event))
        self.ever_done |= {task.pk for task in self.tasks.values() if task.status not in OPEN}

    def _generated(self, series: Series) -> list[dict[str, Any]]:
        return [event for event in self.events[series.pk] if event["type"] == "recurrence.generated.v1"]

    def _numbers_have_no_hole(self, series: Series) -> None:
        made = self.made[series.pk]
        assert [one.number for one in made] == list(range(1, len(made) + 1)), "numbers have a hole"
        last = (made[-1].number, made[-1].recurrence_id, made[-1].task_id)
        assert (series.last_number, series.last_recurrence_id, series.last_task_id) == last
        told = [event["data"]["occurrence"] for event in self._generated(series)]
        assert [(one["number"], one["recurrence_id"], UUID(one["task_id"])) for one in told] == [
            (one.number, one.recurrence_id, one.task_id) for one in made[1:]
        ], "what was told is not what was made"
        assert len({one.recurrence_id for one in made}) == len(made), "a date came twice"

    def _each_is_one_persons(self, series: Series) -> None:
        owners = {self.tasks[one.task_id].owner_id for one in self.made[series.pk]}
        assert owners == {series.owner_id}, "an occurrence of somebody else"

    def _comes_when_it_may(self, event: dict[str, Any]) -> None:
        asked, after = event["data"]["series"]["recurrence"], event["data"]["after"]
        if asked["from"] == "schedule":
            here, there = parse_wall(event["data"]["occurrence"]["recurrence_id"]), parse_wall(after["recurrence_id"])
            assert here > alike(there, here), "a series went back"
        if asked["from"] == "completion" or asked["catch_up"] != "all":
            assert UUID(after["task_id"]) in self.ever_done, "made although the one before was never done"

    def _changed_since(self, event: dict[str, Any], series: Series) -> bool:
        """By the platform, in the same step."""
        later = [one["type"] for one in self.events[series.pk] if one["position"] > event["position"]]
        return bool({"recurrence.changed.v1", "recurrence.ended.v1"} & set(later))

    def _is_a_copy(self, event: dict[str, Any], series: Series) -> None:
        number = event["data"]["occurrence"]["number"]
        was, now = self.made[series.pk][number - 2 : number]
        before, after = self.tasks[was.task_id], self.tasks[now.task_id]
        assert after.title == was.only_here.get("title", before.title)
        assert (after.series_id, after.recurrence_id) == (series.pk, now.recurrence_id)
        assert after.recurrence == event["data"]["series"]["recurrence"]
        assert _relative(after) == _relative(before), "a reminder is lost"
        assert _absolute(after) == _moved((before, was), (after, now)), "a reminder is lost, or at another time"
        assert _parts(self.tasks, after) == _parts(self.tasks, before), "a part is lost"

    def _no_date_is_lost(self, series: Series) -> None:
        """While nobody changes its rule, each date of a series was made, or told as skipped."""
        events = self.events[series.pk]
        if any(event["data"].get("change") == "rule" for event in events):
            return
        opened = events[0]["data"]["series"]
        if opened["recurrence"]["from"] != "schedule":
            return
        start = parse_wall(opened["start"])
        dates = schedule_of(opened["recurrence"], start=start, zone=ZoneInfo(opened["time_zone"])).recurrence.dates()
        made = {alike(parse_wall(one.recurrence_id), start) for one in self.made[series.pk]}
        told = [event["data"] for event in events if event["type"] == "recurrence.skipped.v1"]
        named = {alike(parse_wall(text), start) for data in told for text in data["skipped"]}
        unnamed = sum(data["count"] - len(data["skipped"]) for data in told)
        last = max(made)
        expected = set(takewhile(lambda wall: wall <= last, dates))
        covered = {wall for wall in made | named if wall <= last}
        assert covered <= expected, "a date that the rule does not name"
        assert len(expected - covered) <= unnamed, f"lost: {sorted(map(wall_text, expected - covered))[:5]}"
        if unnamed == 0:
            assert not made & _passed_over(told, start), "made, and told as skipped"

    def _open_ones_carry_what_it_does(self, series: Series) -> None:
        """But for those it was refused for, and those that were done when it changed and were opened again."""
        carried = series.recurrence if series.is_active else None
        if not series.is_active and series.ended_because not in {"stopped", "asked"}:
            return
        for one in self.made[series.pk]:
            task = self.tasks[one.task_id]
            if task.status in OPEN and task.pk not in self.ever_done and task.series_id == series.pk:
                assert task.recurrence == carried or _refuses(task, carried), (
                    f"open task {one.number} carries {task.recurrence}, its series {carried}"
                )

    def _effects_end(self) -> None:
        causes = dict(Event.objects.values_list("event_id", "causation_id"))
        for event_id in causes:
            steps, at = 0, event_id
            while (cause := causes.get(at)) is not None:
                steps, at = steps + 1, cause
            assert steps <= MOST_EFFECTS_IN_A_ROW, "one effect leads to the next, and does not end"


def _refuses(task: Task, recurrence: Any) -> bool:
    """Whether the task would not take it; nothing is changed."""
    with transaction.atomic():
        try:
            tasks.update_task(task_id=task.pk, actor=None, changes={"recurrence": recurrence}, now=task.updated_at)
        except TaskRefused:
            return True
        finally:
            transaction.set_rollback(True)
    return False


def _passed_over(told: list[dict[str, Any]], start: Wall) -> set[Wall]:
    """By the platform; what a person skips may be there already."""
    by_itself = [data for data in told if data["because"] in {"catch_up", "paused"}]
    return {alike(parse_wall(text), start) for data in by_itself for text in data["skipped"]}


def _relative(task: Task) -> list[str]:
    return sorted(one["before_due"] for one in task.reminders or [] if "before_due" in one)


def _absolute(task: Task) -> list[datetime]:
    return sorted(datetime.fromisoformat(one["trigger_at"]) for one in task.reminders or [] if "trigger_at" in one)


def _moved(before: tuple[Task, Occurrence], after: tuple[Task, Occurrence]) -> list[datetime]:
    """Where the absolute reminders of a task stand with its next occurrence: as far before it on the wall."""
    start, end = _wall(*before), _wall(*after)
    timed = isinstance(start, datetime) and isinstance(end, datetime)
    step = end - start if timed else timedelta(days=end.toordinal() - start.toordinal())
    zone = _zone(after[0])
    return [
        zones.attach(instant.astimezone(zone).replace(tzinfo=None) + step, zone) for instant in _absolute(before[0])
    ]


def _wall(task: Task, occurrence: Occurrence) -> Wall:
    """Where clocks stand when it is due; what was planned, where a gap moved it from there."""
    if task.due_on is not None:
        return task.due_on
    assert task.due_at is not None, "an occurrence has a due"
    planned = parse_wall(occurrence.recurrence_id)
    if isinstance(planned, datetime) and zones.attach(planned, _zone(task)) == task.due_at:
        return planned
    return task.due_at.astimezone(_zone(task)).replace(tzinfo=None)


def _zone(task: Task) -> ZoneInfo:
    return ZoneInfo(task.due_time_zone or task.owner.time_zone)


def _parts(known: dict[UUID, Task], whole: Task) -> list[str]:
    """What is part of a task and comes along: what is there, or was put away with it, and does not repeat by itself."""
    below = [task for task in known.values() if task.parent_id == whole.pk and task.recurrence is None]
    return sorted(task.title for task in below if task.status != "deleted" or task.deleted_at == whole.deleted_at)
