"""How a person says that a task repeats, on a task, on one of its occurrences and over REST."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from uuid_utils.compat import uuid7

from apps.tasks import services
from apps.tasks.exceptions import CompletedAsItRepeats, InvalidTask, TaskDeleted
from apps.tasks.models import Task
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"
DAY = date(2026, 11, 30)
HOUR = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
POLICIES = {"from": "schedule", "month_end": "clamp", "catch_up": "latest"}
WEEKLY = {"rule": "FREQ=WEEKLY", **POLICIES}


@pytest.fixture
def owner():
    return person("ada")


@pytest.fixture
def occurrence(owner):
    """The second of a weekly series, its first completed."""
    first = task_of(owner, due_on=DAY, recurrence="weekly")
    services.complete_task(task_id=first.pk, actor=owner, now=NOW)
    return services.create_occurrence(
        of=first.pk,
        owner_id=owner.pk,
        series_id=first.series_id,
        recurrence_id="20261207",
        recurrence=WEEKLY,
        due_on=date(2026, 12, 7),
        now=NOW,
    )


def change(task, **changes):
    return services.update_task(task_id=task.pk, actor=task.owner, changes=changes, now=NOW)


def at(task, verb=""):
    return f"{TASKS}{task.pk}/{verb}"


def refused(owner, recurrence, **due):
    """The refusal of a new task that repeats so, which must leave nothing."""
    with pytest.raises(InvalidTask) as caught:
        task_of(owner, recurrence=recurrence, **due)
    assert (Task.objects.count(), facts().count()) == (0, 0)
    return caught.value


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("skip", "policy"), [("OMIT", "skip"), ("BACKWARD", "clamp"), ("FORWARD", "roll")], ids=["omit", "back", "on"]
    )
    def test_what_a_rule_says_of_days_that_are_not_is_the_policy_of_month_ends(self, owner, skip, policy):
        task = task_of(owner, due_on=DAY, recurrence=f"RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=31;SKIP={skip}")

        assert task.recurrence == {"rule": "FREQ=MONTHLY;BYMONTHDAY=31", **POLICIES, "month_end": policy}

    def test_a_rule_and_a_policy_that_say_the_same_go_together(self, owner):
        rule = "FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=FORWARD"

        task = task_of(owner, due_on=DAY, recurrence={"rule": rule, "month_end": "roll"})

        assert task.recurrence == {"rule": "FREQ=MONTHLY", **POLICIES, "month_end": "roll"}

    def test_dates_left_out_and_put_in_are_kept_in_order_each_once(self, owner):
        asked = {"rule": "weekly", "exdates": ["20261214", "20261207", "20261214"], "rdates": ["20261209"]}

        task = task_of(owner, due_on=DAY, recurrence=asked)

        told = {**WEEKLY, "exdates": ["20261207", "20261214"], "rdates": ["20261209"]}
        assert task.recurrence == told
        assert facts().get().data["task"]["recurrence"] == told

    @pytest.mark.parametrize("nothing", [[], None])
    def test_no_dates_are_not_kept(self, owner, nothing):
        task = task_of(owner, due_on=DAY, recurrence={"rule": "weekly", "exdates": nothing, "rdates": nothing})

        assert task.recurrence == WEEKLY

    def test_of_a_due_with_an_hour_they_have_one(self, owner):
        task = task_of(owner, due_at=HOUR, recurrence={"rule": "daily", "exdates": ["20261201T090000"]})

        assert task.recurrence["exdates"] == ["20261201T090000"]

    def test_what_was_read_can_be_sent_back(self, api, owner):
        asked = {"rule": "FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=FORWARD", "exdates": ["20261230"]}
        task = task_of(owner, due_on=DAY, recurrence=asked)

        response = api.patch(at(task), {"recurrence": api.get(at(task)).json()["recurrence"]})

        assert (response.status_code, response.json()["version"]) == (200, 1)


class TestWordsForWhatRepeatsAlready:
    """A string says only what it says, an object says all."""

    ASKED = {"rule": "every month on the 30th", "month_end": "skip", "catch_up": "wait", "exdates": ["20261230"]}
    KEPT = {"from": "schedule", "month_end": "skip", "catch_up": "wait"}

    @pytest.mark.parametrize("words", ["every month on the 31st", "FREQ=MONTHLY;BYMONTHDAY=31"])
    def test_another_rule_keeps_the_policies_and_not_the_dates(self, api, owner, words):
        task = task_of(owner, due_on=DAY, recurrence=self.ASKED)

        response = api.patch(at(task), {"recurrence": words})

        assert response.json()["recurrence"] == {"rule": "FREQ=MONTHLY;BYMONTHDAY=31", **self.KEPT}

    def test_the_same_rule_changes_nothing(self, owner):
        task = task_of(owner, due_on=DAY, recurrence=self.ASKED)

        changed = change(task, recurrence="every month on the 30th")

        assert (changed.recurrence, changed.version) == (task.recurrence, 1)
        assert changed.recurrence["exdates"] == ["20261230"]

    def test_what_the_words_state_holds(self, owner):
        task = task_of(owner, due_on=DAY, recurrence=self.ASKED)

        changed = change(task, recurrence="every month on the 30th, in shorter months on the last day")
        after = change(task, recurrence="every month on the 30th after completion")

        assert changed.recurrence == {"rule": task.recurrence["rule"], **self.KEPT, "month_end": "clamp"} | {
            "exdates": ["20261230"]
        }
        assert after.recurrence == {
            "rule": task.recurrence["rule"],
            "from": "completion",
            "month_end": "clamp",
            "catch_up": "wait",
        }

    def test_words_without_completion_count_from_the_schedule(self, owner):
        task = task_of(owner, due_on=DAY, recurrence={"rule": "every 3 days after completion", "catch_up": "all"})

        changed = change(task, recurrence="every 3 days")

        assert changed.recurrence == {"rule": "FREQ=DAILY;INTERVAL=3", **POLICIES, "catch_up": "all"}

    def test_an_object_says_all(self, owner):
        task = task_of(owner, due_on=DAY, recurrence=self.ASKED)

        changed = change(task, recurrence={"rule": "every month on the 30th"})

        assert changed.recurrence == {"rule": "FREQ=MONTHLY;BYMONTHDAY=30", **POLICIES}

    def test_what_begins_to_repeat_anew_keeps_nothing(self, owner):
        task = task_of(owner, due_on=DAY, recurrence=self.ASKED)
        change(task, recurrence=None)

        assert change(task, recurrence="weekly").recurrence == WEEKLY

    @pytest.mark.parametrize("policy", ["month_end", "catch_up", "from"])
    def test_a_policy_that_is_null_is_not_given(self, owner, policy):
        task = task_of(owner, due_on=DAY, recurrence={"rule": "weekly", policy: None})

        assert task.recurrence == WEEKLY


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("recurrence", "field", "words"),
        [
            (
                {"rule": "FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=OMIT", "month_end": "clamp"},
                "recurrence.month_end",
                "The rule itself says skip",
            ),
            ({"rule": "daily", "exdates": "20261201"}, "recurrence.exdates", "Give a list"),
            ({"rule": "daily", "exdates": ["20261201", 5]}, "recurrence.exdates.1", "Write a date as 20260504"),
            ({"rule": "daily", "rdates": ["2026-12-01"]}, "recurrence.rdates.0", "Write a date as 20260504"),
            ({"rule": "daily", "rdates": ["20260230"]}, "recurrence.rdates.0", "there is"),
            ({"rule": "daily", "rdates": ["99990101"]}, "recurrence.rdates.0", "between the years 1970 and 9000"),
            (
                {"rule": "daily", "rdates": ["20261201T090000"]},
                "recurrence.rdates.0",
                "The due has no time of day: write 20260504.",
            ),
            ({"rule": "daily", "exdates": ["20261201"] * 101}, "recurrence.exdates", "At most 100 dates."),
        ],
    )
    def test_it_is_told_by_its_place(self, owner, recurrence, field, words):
        refusal = refused(owner, recurrence, due_on=DAY)

        assert refusal.field == field
        assert words in str(refusal)

    def test_a_day_where_the_due_has_an_hour(self, owner):
        refusal = refused(owner, {"rule": "daily", "exdates": ["20261201"]}, due_at=HOUR)

        assert (refusal.field, str(refusal)) == (
            "recurrence.exdates.0",
            "The due has a time of day: write 20260504T090000.",
        )

    @pytest.mark.parametrize("due", [{"due_on": DAY}, {"due_at": HOUR}, {}], ids=["day", "instant", "none"])
    def test_a_rule_that_never_happens(self, owner, due):
        rule = {"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "month_end": "skip", "from": "completion"}

        refusal = refused(owner, rule, **due)

        assert refusal.field == "recurrence.rule"
        assert "never happens" in str(refusal)

    def test_what_counts_from_completion_without_a_due_has_no_hours(self, owner):
        refusal = refused(owner, {"rule": "FREQ=HOURLY", "from": "completion"})

        assert (refusal.field, refusal.part) == ("recurrence.rule", "FREQ")

    def test_nor_does_it_end_before_today(self, owner):
        refusal = refused(owner, {"rule": "FREQ=DAILY;UNTIL=20261119", "from": "completion"})

        assert (refusal.field, refusal.part) == ("recurrence.rule", "UNTIL")

    def test_the_same_rule_happens_where_a_month_end_is_clamped(self, owner):
        assert task_of(owner, due_on=DAY, recurrence="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30").version == 1

    def test_or_where_dates_are_put_in(self, owner):
        rule = {"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "month_end": "skip", "rdates": ["20270301"]}

        assert task_of(owner, due_on=DAY, recurrence=rule).version == 1

    def test_an_end_before_the_due_is_told_by_its_part(self, owner):
        refusal = refused(owner, "FREQ=DAILY;UNTIL=20261129", due_on=DAY)

        assert (refusal.field, refusal.part) == ("recurrence.rule", "UNTIL")

    @pytest.mark.parametrize("end", ["UNTIL=20261130", "COUNT=1"])
    def test_to_end_with_the_due_is_no_reason(self, owner, end):
        assert task_of(owner, due_on=DAY, recurrence=f"FREQ=DAILY;{end}").recurrence["rule"] == f"FREQ=DAILY;{end}"

    def test_a_due_with_an_hour_may_have_an_end_without(self, owner):
        assert task_of(owner, due_at=HOUR, recurrence="FREQ=DAILY;UNTIL=20261130").version == 1

    def test_over_rest_the_part_to_correct_is_named(self, api):
        response = api.post(TASKS, {"title": "Rent", "due_on": "2026-11-30", "recurrence": "FREQ=DAILY;COUNT=0"})

        (error,) = response.json()["errors"]
        assert (response.status_code, error["field"], error["part"]) == (400, "recurrence.rule", "COUNT")
        assert Task.objects.count() == 0


class TestOnAnOccurrence:
    def test_another_rule_holds_from_this_one_on_in_the_same_series(self, api, occurrence):
        response = api.patch(at(occurrence), {"recurrence": "daily"})

        told = response.json()
        assert (told["series_id"], told["recurrence_id"]) == (str(occurrence.series_id), "20261207")
        assert facts().last().data["changes"].keys() == {"recurrence"}

    def test_nothing_ends_the_series(self, api, occurrence):
        response = api.patch(at(occurrence), {"recurrence": None})

        told = response.json()
        assert (told["recurrence"], told["series_id"]) == (None, str(occurrence.series_id))
        assert facts().last().data["changes"] == {"recurrence": {"before": WEEKLY, "after": None}}

    def test_replacing_it_without_a_recurrence_ends_the_series_too(self, api, occurrence):
        response = api.put(at(occurrence), {"title": "Buy milk", "due_on": "2026-12-07"})

        assert response.json()["recurrence"] is None
        assert facts().last().data["changes"] == {"recurrence": {"before": WEEKLY, "after": None}}

    def test_one_that_repeats_no_more_and_then_again_opens_another_series(self, occurrence):
        change(occurrence, recurrence=None)

        again = change(occurrence, recurrence="monthly")

        assert again.series_id not in {None, occurrence.series_id}
        assert (again.recurrence_id, facts().last().data["changes"]["recurrence_id"]) == (
            "",
            {"before": "20261207", "after": ""},
        )

    def test_its_due_may_move_past_the_end_of_the_rule(self, owner):
        task = task_of(owner, due_on=DAY, recurrence="FREQ=DAILY;UNTIL=20261130")

        moved = change(task, due_on=DAY + timedelta(days=3), recurrence=task.recurrence)

        assert (moved.due_on, moved.version) == (date(2026, 12, 3), 2)

    def test_its_due_may_get_an_hour(self, occurrence):
        moved = change(occurrence, due_at=HOUR)

        assert (moved.due_at, moved.recurrence) == (HOUR, WEEKLY)

    def test_a_copy_of_it_is_a_series_of_its_own(self, api, occurrence):
        response = api.post(at(occurrence, "duplicate/"))

        told = response.json()
        assert (told["recurrence"], told["recurrence_id"]) == (WEEKLY, None)
        assert told["series_id"] not in {None, str(occurrence.series_id)}

    def test_a_copy_of_one_that_was_moved_past_its_end_does_not_repeat(self, owner):
        task = task_of(owner, due_on=DAY, recurrence="FREQ=DAILY;UNTIL=20261130")
        change(task, due_on=DAY + timedelta(days=3))

        copy = services.duplicate_task(task_id=task.pk, actor=owner, now=NOW)

        assert (copy.recurrence, copy.series_id, copy.due_on) == (None, None, date(2026, 12, 3))

    def test_a_copy_of_the_whole_has_one_of_each_series_and_none_of_its_history(self, owner, occurrence):
        whole = task_of(owner, title="Household")
        for one in Task.objects.filter(series_id=occurrence.series_id):
            change(one, parent=whole.pk)
        task_of(owner, title="List", parent=Task.objects.get(status="completed").pk)

        copy = services.duplicate_task(task_id=whole.pk, actor=owner, now=NOW)

        (part,) = Task.objects.filter(parent=copy)
        assert (part.due_on, part.status, part.recurrence) == (occurrence.due_on, "pending", WEEKLY)
        assert Task.objects.filter(title="List").count() == 1

    def test_deleted_and_restored_it_is_what_it_was(self, api, occurrence):
        api.delete(f"{at(occurrence)}?series=continues")

        told = api.post(at(occurrence, "restore/")).json()

        assert (told["status"], told["recurrence"], told["recurrence_id"]) == ("pending", WEEKLY, "20261207")
        assert told["series_id"] == str(occurrence.series_id)

    def test_it_is_found_among_what_repeats(self, api, owner, occurrence):
        task_of(owner, title="Once")

        repeating = api.get(f"{TASKS}?recurring=true&status=pending").json()["results"]
        others = api.get(f"{TASKS}?recurring=false").json()["results"]

        assert [task["id"] for task in repeating] == [str(occurrence.pk)]
        assert [task["title"] for task in others] == ["Once"]


class TestWhenItIsSettled:
    @pytest.mark.parametrize("wanted", ["daily", None], ids=["another rule", "none"])
    def test_on_a_completed_task_nothing_about_it_changes(self, owner, wanted):
        task = task_of(owner, due_on=DAY, recurrence="weekly")
        services.complete_task(task_id=task.pk, actor=owner, now=NOW)

        with pytest.raises(CompletedAsItRepeats, match="reopen it, or change the occurrence that is open"):
            change(task, recurrence=wanted)

        task.refresh_from_db()
        assert (task.recurrence, task.version, facts().count()) == (WEEKLY, 2, 2)

    def test_over_rest_that_is_a_conflict(self, api, owner):
        task = task_of(owner, due_on=DAY, recurrence="weekly")
        services.complete_task(task_id=task.pk, actor=owner, now=NOW)

        response = api.patch(at(task), {"recurrence": "daily"})

        assert response.status_code == 409
        assert "reopen it" in response.json()["detail"]
        assert Task.objects.get().version == 2

    def test_other_fields_of_a_completed_task_change_beside_the_same_recurrence(self, owner):
        task = task_of(owner, due_on=DAY, recurrence="weekly")
        services.complete_task(task_id=task.pk, actor=owner, now=NOW)

        changed = change(task, title="Buy bread", recurrence="weekly")

        assert (changed.title, changed.version) == ("Buy bread", 3)

    def test_a_deleted_task_is_to_be_restored_first(self, owner):
        task = task_of(owner, due_on=DAY, recurrence="weekly")
        services.delete_task(task_id=task.pk, actor=owner, now=NOW)

        with pytest.raises(TaskDeleted):
            change(task, recurrence="daily")

        assert facts().count() == 2


class TestDeleting:
    @pytest.mark.parametrize(
        ("asked", "told"), [("", "ends"), ("?series=ends", "ends"), ("?series=continues", "continues")]
    )
    def test_over_rest_the_series_ends_or_continues(self, api, occurrence, asked, told):
        response = api.delete(at(occurrence) + asked)

        assert response.status_code == 204
        assert facts().last().data["series"] == told

    def test_anything_else_is_refused(self, api, occurrence):
        response = api.delete(f"{at(occurrence)}?series=perhaps")

        assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "series")
        assert Task.objects.get(pk=occurrence.pk).status == "pending"

    def test_only_deleting_has_the_parameter(self, api, occurrence):
        response = api.patch(f"{at(occurrence)}?series=ends", {"title": "Other"})

        assert response.status_code == 400
        assert Task.objects.get(pk=occurrence.pk).version == 1

    def test_a_dry_run_tells_the_event_and_deletes_nothing(self, api, occurrence):
        response = api.delete(f"{at(occurrence)}?series=continues&dry_run=true")

        (event,) = response.json()["events"]
        assert (event["type"], event["data"]["series"]) == ("task.deleted.v1", "continues")
        assert Task.objects.get(pk=occurrence.pk).status == "pending"

    def test_many_at_once_say_it_for_all(self, api, owner, occurrence):
        once = task_of(owner, title="Once")
        body = {"action": "delete", "tasks": [str(occurrence.pk), str(once.pk)], "series": "continues"}

        response = api.post(f"{TASKS}bulk/", body)

        first, second = list(facts())[-2:]
        assert [result["status"] for result in response.json()["results"]] == [200, 200]
        assert (first.data["series"], "series" in second.data) == ("continues", False)

    @pytest.mark.parametrize("body", [{"action": "complete", "series": "ends"}, {"action": "delete", "series": "no"}])
    def test_what_makes_no_sense_for_many_is_refused(self, api, occurrence, body):
        response = api.post(f"{TASKS}bulk/", {**body, "tasks": [str(occurrence.pk)]})

        assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "series")
        assert Task.objects.get(pk=occurrence.pk).version == 1


class TestInTheAdmin:
    @pytest.fixture
    def admin(self, admin_client):
        return admin_client

    @pytest.mark.parametrize("series", ["ends", "continues"])
    def test_deleting_what_repeats_asks_what_becomes_of_it(self, admin, occurrence, series):
        page = reverse("admin:tasks_task_delete", args=[occurrence.pk])
        asked = admin.get(page).content.decode()

        admin.post(page, {"post": "yes", "series": series})

        assert 'name="series" value="continues"' in asked
        assert facts().last().data["series"] == series

    def test_what_does_not_repeat_is_not_asked_about(self, admin, owner):
        task = task_of(owner)

        asked = admin.get(reverse("admin:tasks_task_delete", args=[task.pk])).content.decode()

        assert 'name="series"' not in asked

    def test_nor_is_what_was_completed_as_another_follows_it_already(self, admin, owner):
        task = task_of(owner, due_on=DAY, recurrence="weekly")
        services.complete_task(task_id=task.pk, actor=owner, now=NOW)

        asked = admin.get(reverse("admin:tasks_task_delete", args=[task.pk])).content.decode()

        assert 'name="series"' not in asked

    def test_deleting_many_asks_once(self, admin, owner, occurrence):
        body = {"action": "put_away", "_selected_action": [str(occurrence.pk)]}
        asked = admin.post(reverse("admin:tasks_task_changelist"), body).content.decode()

        admin.post(reverse("admin:tasks_task_changelist"), {**body, "confirmed": "yes", "series": "continues"})

        assert asked.count('name="series"') == 2
        assert facts().last().data["series"] == "continues"

    def test_dates_are_shown_with_the_rule(self, admin, owner):
        task = task_of(owner, due_on=DAY, recurrence={"rule": "weekly", "exdates": ["20261207"]})

        shown = admin.get(reverse("admin:tasks_task_change", args=[task.pk])).content.decode()

        assert "20261207" in shown


def test_the_platform_may_act_without_a_person(owner):
    task = services.create_task(owner=owner, actor=None, title="Welcome", tags=["new"], now=NOW)
    services.update_task(task_id=task.pk, actor=None, changes={"due_on": DAY, "tags": ["old"]}, now=NOW)
    services.delete_task(task_id=task.pk, actor=None, now=NOW)

    assert set(facts().values_list("actor_id", flat=True)) == {None}
    types = list(facts().filter(subject_id=task.pk).values_list("type", flat=True))
    assert types == ["task.created.v1", "task.updated.v1", "task.deleted.v1"]


def test_an_occurrence_stands_once_in_its_series(owner, occurrence):
    with pytest.raises(IntegrityError, match="task_once_per_occurrence"), transaction.atomic():
        services.create_occurrence(
            of=occurrence.pk,
            owner_id=owner.pk,
            series_id=occurrence.series_id,
            recurrence_id="20261207",
            recurrence=WEEKLY,
            due_on=date(2026, 12, 7),
            now=NOW,
            task_id=uuid7(),
        )

    assert Task.objects.count() == 2
