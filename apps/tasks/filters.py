"""What a list of tasks can be narrowed to. Days are those of the person who asks."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.lookups import LessThan
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError

from apps.calendar import zones
from apps.tasks import selectors, values
from apps.tasks.exceptions import InvalidTask
from apps.tasks.models import NO_DUE, Tag, Task

MAX_TERMS = 8
_LONGEST = 200


class YesOrNo(filters.TypedChoiceFilter):
    """Refuses what is neither, where Django's own would take it for no question."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], coerce=lambda word: word == "true", **options)


class TaskFilter(filters.FilterSet):
    search = filters.CharFilter(
        method="searched",
        max_length=_LONGEST,
        help_text="Tasks in which every word stands: at the start of a word of title or description, anywhere in the "
        "title, or in the name of a tag.",
    )
    status = filters.MultipleChoiceFilter(
        choices=Task.Status.choices, help_text="One or more statuses; all but deleted when none is given."
    )
    priority = filters.MultipleChoiceFilter(
        method="of_priorities", choices=Task.Priority.choices, help_text="One or more priorities."
    )
    tag = filters.CharFilter(
        method="with_any_tag", label="Tag, any of", help_text="The name of a tag; of several, any."
    )
    tag_all = filters.CharFilter(
        method="with_all_tags", label="Tag, all of", help_text="The name of a tag; of several, all."
    )
    list = filters.CharFilter(method="in_list", help_text="The id of a list, or `none`.")
    parent = filters.CharFilter(method="part_of", help_text="The id of a parent task, or `none`.")
    due_from = filters.CharFilter(method="due_since", help_text="Due at or after this day or instant.")
    due_to = filters.CharFilter(method="due_until", help_text="Due on or before this day, or before this instant.")
    overdue = YesOrNo(method="past_due", help_text="Open tasks whose due has passed, or the others.")
    no_due = YesOrNo(method="without_due", help_text="Tasks without a due, or with one.")
    recurring = YesOrNo(method="that_repeat", help_text="Tasks that repeat, or that do not.")

    class Meta:
        model = Task
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Task]) -> QuerySet[Task]:
        tasks = super().filter_queryset(queryset)
        return tasks if self.form.cleaned_data["status"] else tasks.exclude(status=Task.Status.DELETED)

    @property
    def _owner(self) -> Any:
        return self.request.user

    @property
    def _zone(self) -> Any:
        return zones.zone(self._owner.time_zone)

    def searched(self, tasks: QuerySet[Task], name: str, text: str) -> QuerySet[Task]:
        for term in _terms(text):
            tasks = tasks.filter(self._found(term))
        return tasks

    def _found(self, term: str) -> Q:
        found = Q(search=_beginnings(term))
        if len(term) >= 3:  # shorter ones have no trigram, and would read every title
            found |= Q(title_order__contains=term.lower())
        folded = values.folded(term)
        tags = selectors.tags_of(owner=self._owner).filter(folded_name__contains=folded)
        found |= Q(tag_ids__overlap=list(tags.values_list("pk", flat=True)))
        return found

    def of_priorities(self, tasks: QuerySet[Task], name: str, value: Sequence[str]) -> QuerySet[Task]:
        """By rank, which has the index.

        Of one rank as a range: sorted by what equals a constant, only the id is left to sort by, and PostgreSQL may
        walk the primary key, past everybody's tasks.
        """
        ranks = [Task.Priority.values.index(priority) for priority in value]
        one = len(ranks) == 1
        return tasks.filter(priority_order__range=ranks * 2) if one else tasks.filter(priority_order__in=ranks)

    def with_any_tag(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.filter(tag_ids__overlap=self._tag_ids(name))

    def with_all_tags(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        asked = {values.folded(tag) for tag in self.data.getlist(name)}
        found = self._tag_ids(name)
        return tasks.filter(tag_ids__contains=found) if len(found) == len(asked) else tasks.none()

    def _tag_ids(self, name: str) -> Any:
        folded = {values.folded(tag) for tag in self.data.getlist(name)}
        return list(Tag.objects.filter(owner=self._owner, folded_name__in=folded).values_list("pk", flat=True))

    def in_list(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.filter(list=None) if value == "none" else tasks.filter(list=_id(name, value))

    def part_of(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.filter(parent=None) if value == "none" else tasks.filter(parent=_id(name, value))

    def due_since(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        start, day, _ = self._start_and_day(name, value)
        # The first condition is wider than the second and has the index; the second is exact.
        wide = Q(due_order_at__gte=start - timedelta(days=2), due_order_at__lt=NO_DUE)
        return tasks.filter(wide, Q(due_at__gte=start) | Q(due_on__gte=day))

    def due_until(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        start, day, is_day = self._start_and_day(name, value)
        end = zones.end_of_day(day, self._zone) if is_day else start
        last_day = day if is_day else day - timedelta(days=1)
        exact = Q(due_at__lt=end) | Q(due_on__lte=last_day)
        return tasks.filter(Q(due_order_at__lt=end + timedelta(days=2)), exact)

    def past_due(self, tasks: QuerySet[Task], name: str, value: bool) -> QuerySet[Task]:
        now = datetime.now(UTC)
        today = zones.local_date(now, self._zone)
        passed = Q(due_order_at__lt=now + timedelta(days=2)) & (Q(due_at__lt=now) | Q(due_on__lt=today))
        # Says nothing new, but of this PostgreSQL knows how rare it is (statistics `task_open_due`): what passed is
        # mostly done, so that without them it would walk a sort, looking for a few among thousands.
        open_due = Case(When(status__in=selectors.OPEN, then=F("due_order_at")))
        overdue = Q(status__in=selectors.OPEN) & passed & Q(LessThan(open_due, now + timedelta(days=2)))
        # A due that is not there makes the comparison unknown, and unknown negated is unknown still.
        not_overdue = ~Q(status__in=selectors.OPEN) | Q(due_order_at=NO_DUE) | Q(due_at__gte=now) | Q(due_on__gte=today)
        return tasks.filter(overdue if value else not_overdue)

    def without_due(self, tasks: QuerySet[Task], name: str, value: bool) -> QuerySet[Task]:
        # A range, for the reason that `of_priorities` tells.
        return tasks.filter(due_order_at__gte=NO_DUE) if value else tasks.filter(due_order_at__lt=NO_DUE)

    def that_repeat(self, tasks: QuerySet[Task], name: str, value: bool) -> QuerySet[Task]:
        return tasks.filter(recurrence__isnull=not value)

    def _start_and_day(self, name: str, value: str) -> tuple[datetime, date, bool]:
        """The instant, the day it lies on, and whether that day was asked for: then the instant is its start."""
        try:
            try:
                day = values.checked_due_on(date.fromisoformat(value))
                assert day is not None
                return zones.start_of_day(day, self._zone), day, True
            except ValueError:
                instant = datetime.fromisoformat(value.replace(" ", "+"))
                if instant.tzinfo is None:
                    instant = zones.attach(instant, self._zone)
                checked = values.checked_due_at(instant)
                assert checked is not None
                return checked, zones.local_date(checked, self._zone), False
        except (ValueError, OverflowError, InvalidTask) as reason:
            told = "Give a day (2026-05-03) or an instant (2026-05-03T09:00:00Z) between the years 1970 and 9000."
            raise ValidationError({name: [told]}) from reason


def _terms(text: str) -> Any:
    terms = list(dict.fromkeys(text.split()))
    if len(terms) > MAX_TERMS:
        raise ValidationError({"search": [f"A search has at most {MAX_TERMS} words."]})
    return terms


class _Beginnings(SearchQuery):
    """The lexemes that PostgreSQL's parser finds in a text without spaces, or that text as one lexeme, as beginnings.

    The parser keeps addresses, numbers with a point and paths whole, in a task and here alike; of one that is not
    yet typed to its end it makes words, so the text is also looked for as it is. PostgreSQL quotes the lexemes.
    """

    _SQL = """(
        coalesce(replace(nullif(strip(to_tsvector('simple'::regconfig, %s))::text, ''), ' ', ':* & ') || ':* | ', '')
        || array_to_tsvector(ARRAY[lower(%s)])::text || ':*'
    )::tsquery"""

    def __init__(self, text: str) -> None:
        assert text and " " not in text  # a space parts the lexemes
        super().__init__(text)
        self._text = text

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        return self._SQL, [self._text, self._text]


def _beginnings(term: str) -> Any:
    """Asks for tasks with words that begin as those of `term`, split as PostgreSQL splits or at every sign."""
    found: Any = _Beginnings(term)
    if words := re.findall(r"[^\W_]+", term):
        found |= SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple")
    return found


def _id(name: str, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as reason:
        raise ValidationError({name: ["Give an id, or none."]}) from reason
