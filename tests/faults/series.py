"""What must hold of series once all is quiet, as the log and the tables tell it: every completed occurrence has one
successor, made once, and no series that goes on is without its next.
"""

from collections import Counter, defaultdict
from uuid import UUID

from apps.events.models import Event
from apps.recurrence.models import Occurrence, Series
from apps.tasks import selectors
from apps.tasks.models import Task
from tests.faults.verdict import Verdict

GROUP = "recurrence"


def judge(verdict: Verdict) -> None:
    _judge_openings(verdict)
    _judge_tasks(verdict)
    _judge_telling(verdict)
    for series in Series.objects.prefetch_related("occurrences"):
        _judge_one(verdict, series, sorted(series.occurrences.all(), key=lambda each: each.number))


def _judge_openings(verdict: Verdict) -> None:
    """Each task that was told to repeat has its series."""
    repeating = Task.objects.exclude(recurrence=None).values_list("series_id", flat=True)
    there = set(Series.objects.values_list("pk", flat=True))
    verdict.lost += [f"series {each}: was never opened" for each in set(repeating) - there]


def _judge_tasks(verdict: Verdict) -> None:
    """A date of a series has one task, and the task its row among the occurrences."""
    made = Task.objects.exclude(recurrence_id="").values_list("pk", "series_id", "recurrence_id")
    by_date: dict[tuple[UUID | None, str], list[UUID]] = defaultdict(list)
    for task_id, series_id, recurrence_id in made:
        by_date[series_id, recurrence_id].append(task_id)
    for (series_id, recurrence_id), tasks in by_date.items():
        if len(tasks) > 1:
            verdict.duplicated.append(f"series {series_id}: {len(tasks)} tasks for {recurrence_id}")
    known = set(Occurrence.objects.values_list("task_id", flat=True))
    unknown = [task_id for task_id, _, _ in made if task_id not in known]
    verdict.other += [f"task {each}: an occurrence that its series does not know" for each in unknown]


def _judge_telling(verdict: Verdict) -> None:
    """Each occurrence but the first was told once, as following another, which nothing else follows."""
    told = Event.objects.filter(type="recurrence.generated.v1").values_list("subject_id", "data")
    numbers = Counter((series_id, data["occurrence"]["number"]) for series_id, data in told)
    followed = Counter(data["after"]["task_id"] for _, data in told if data["after"])
    made = set(Occurrence.objects.filter(number__gt=1).values_list("series_id", "number"))
    verdict.lost += [f"series {one}: nobody told of occurrence {number}" for one, number in made - numbers.keys()]
    gone = numbers.keys() - made
    verdict.lost += [f"series {one}: occurrence {number} was told, and is not there" for one, number in gone]
    twice = [(*place, times) for place, times in numbers.items() if times > 1]
    verdict.duplicated += [f"series {one}: occurrence {number} told {times} times" for one, number, times in twice]
    verdict.duplicated += [f"task {one}: followed by {times} others" for one, times in followed.items() if times > 1]


def _judge_one(verdict: Verdict, series: Series, occurrences: list[Occurrence]) -> None:
    numbers = [each.number for each in occurrences]
    if numbers != list(range(1, series.last_number + 1)):
        verdict.lost.append(f"{series}: occurrences {numbers}, {series.last_number} expected")
        return
    last = occurrences[-1]
    if (last.recurrence_id, last.task_id) != (series.last_recurrence_id, series.last_task_id):
        verdict.other.append(f"{series}: its last occurrence is another than it says")
    goes_on = series.ended_at is None and series.paused_at is None
    if goes_on and not selectors.open_among([series.last_task_id]):
        verdict.lost.append(f"{series}: its last occurrence is done and nothing follows")
