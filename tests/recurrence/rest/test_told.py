"""What answers tell of a series: what comes, what is left out, and whether it is full."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.recurrence import selectors, services
from apps.recurrence.models import Series
from apps.tasks import services as task_services
from tests.recurrence.rest.monday import DAY, MONDAY
from tests.support.repeating import complete, open_tasks, repeating, the_series

pytestmark = pytest.mark.django_db


def of(task):
    return f"/api/v1/tasks/{task.pk}/recurrence/"


def at(series, verb=""):
    return f"/api/v1/series/{series.pk}/{verb}"


def days(told):
    return [one["recurrence_id"] for one in told]


class TestBeforeTheSeriesHasHeard:
    """It hears by an event of another rule; the answer tells what it comes to then."""

    WISHES = [
        ("every 2 days", ["20260506", "20260508", "20260510", "20260512", "20260514"]),
        ("daily, 3 times", ["20260505", "20260506"]),
        ({"rule": "weekly", "exdates": ["20260511"]}, ["20260518", "20260525", "20260601", "20260608", "20260615"]),
        ({"rule": "weekly", "rdates": ["20260512"]}, ["20260511", "20260512", "20260518", "20260525", "20260601"]),
        ("every 2 days after completion", []),
    ]

    @pytest.mark.parametrize(("wish", "planned"), WISHES)
    def test_what_is_put_is_planned(self, api, task, pump, wish, planned):
        told = api.put(of(task), {"recurrence": wish}, format="json").json()
        assert the_series().recurrence["rule"] == "FREQ=WEEKLY"
        read = api.get(of(task)).json()
        pump.run()

        assert days(told["planned"]) == days(read["planned"]) == planned
        assert days(api.get(of(task)).json()["planned"]) == planned

    @pytest.mark.parametrize("body", [{"recurrence": "every 2 days"}, {"recurrence": "every 2 days", "title": "Weed"}])
    def test_what_is_patched_is_planned(self, api, task, pump, body):
        told = api.patch(of(task), body, format="json").json()
        pump.run()

        assert told["sentence"] == "every 2 days"
        assert days(told["planned"]) == days(api.get(of(task)).json()["planned"])
        assert days(told["planned"])[0] == "20260506"

    def test_of_what_was_told_to_stop_nothing_is_planned(self, api, task):
        task_services.update_task(task_id=task.pk, actor=task.owner, changes={"recurrence": None}, now=MONDAY)

        told = api.get(of(task)).json()

        assert (the_series().is_active, told["sentence"], told["planned"]) == (True, None, [])

    def test_a_later_occurrence_is_where_the_rule_begins(self, api, task, pump):
        complete(task, pump=pump, now=MONDAY)
        (following,) = open_tasks()

        told = api.put(of(following), {"recurrence": "daily"}).json()

        assert days(told["planned"])[:2] == ["20260512", "20260513"]
        pump.run()
        assert days(api.get(of(following)).json()["planned"]) == days(told["planned"])

    def test_a_series_that_came_to_its_end_goes_on(self, api, ada, pump):
        last = repeating(ada, "daily, 1 time", pump=pump, now=MONDAY, due_on=MONDAY.date())
        complete(last, pump=pump, now=MONDAY)
        task_services.reopen_task(task_id=last.pk, actor=ada, now=MONDAY)

        told = api.put(of(last), {"recurrence": "daily, 3 times"}).json()
        pump.run()

        assert days(told["planned"]) == days(api.get(of(last)).json()["planned"]) == ["20260505", "20260506"]

    def test_in_a_pause_nothing_is_planned(self, api, ada, task, pump):
        services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY)

        assert api.put(of(task), {"recurrence": "daily"}).json()["planned"] == []

    def test_what_is_done_tells_what_its_series_comes_to(self, api, ada, task, pump, time_machine):
        complete(task, pump=pump, now=MONDAY)
        (following,) = open_tasks()
        time_machine.move_to(MONDAY + timedelta(hours=1), tick=False)
        api.put(of(following), {"recurrence": "daily"})
        pump.run()

        told = api.get(of(task)).json()

        assert told["sentence"] == "every week"
        assert days(told["planned"]) == days(api.get(of(following)).json()["planned"])

    def test_reading_changes_nothing(self, api, task):
        before = list(Series.objects.values())
        task_services.update_task(task_id=task.pk, actor=task.owner, changes={"recurrence": "daily"}, now=MONDAY)

        api.get(of(task))

        assert list(Series.objects.values()) == before


class TestLeftOut:
    def left_out(self, api):
        return days(api.get(at(the_series())).json()["left_out"])

    def test_nothing_is_left_out_by_itself(self, api, task):
        assert self.left_out(api) == []

    def test_the_next_and_others_that_were_skipped(self, api, task):
        api.post(at(the_series(), "skip/"), {"recurrence_id": "20260525"})
        told = api.post(at(the_series(), "skip/")).json()

        assert told["left_out"] == [
            {
                "recurrence_id": day,
                "due_at": None,
                "due_on": f"{day[:4]}-{day[4:6]}-{day[6:]}",
                "weekday": "Monday",
                "local": local,
            }
            for day, local in [("20260511", "11 May"), ("20260525", "25 May")]
        ]
        assert not {"20260511", "20260525"} & set(days(told["planned"]))

    def test_what_the_recurrence_leaves_out_with_its_hour(self, api, ada, pump):
        nine = {"rule": "daily", "exdates": ["20260506T090000"]}
        repeating(ada, nine, pump=pump, now=MONDAY, due_at=datetime(2026, 5, 4, 7, 0, tzinfo=UTC))

        assert self.left_out(api) == ["20260506T090000"]
        assert api.get(at(the_series())).json()["left_out"][0]["local"] == "6 May at 09:00"

    def test_what_a_pause_passed_over(self, api, ada, task, time_machine):
        services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY)
        later = MONDAY + 12 * DAY
        time_machine.move_to(later, tick=False)
        services.resume_series(series_id=task.series_id, actor=ada, now=later)

        assert self.left_out(api) == ["20260511"]


class TestSkipping:
    @pytest.mark.parametrize("named", ["tomorrow", "2026-05-11", "20269999", "20260511T0900"])
    def test_what_is_no_date_is_told_by_its_field(self, api, task, named):
        before = list(Series.objects.values())

        response = api.post(at(the_series(), "skip/"), {"recurrence_id": named})

        told = response.json()
        assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
        assert [one["field"] for one in told["errors"]] == ["recurrence_id"]
        assert list(Series.objects.values()) == before


class TestFull:
    """A series that makes every date makes no more while as many as there may be are open."""

    @pytest.fixture
    def all_of_them(self, ada, pump, monkeypatch):
        monkeypatch.setattr(selectors, "MOST_OPEN", 2)
        task = repeating(ada, {"rule": "daily", "catch_up": "all"}, pump=pump, now=MONDAY, due_on=MONDAY.date())
        services.make_due(series_id=task.series_id, now=MONDAY)
        return task

    def test_it_says_so_until_one_is_done(self, api, all_of_them, pump):
        assert len(open_tasks()) == 2
        assert api.get(at(the_series())).json()["is_full"] is True

        complete(all_of_them, pump=pump, now=MONDAY)

        assert (len(open_tasks()), api.get(at(the_series())).json()["is_full"]) == (1, False)

    def test_nor_is_one_full_that_is_paused_or_has_ended(self, api, ada, all_of_them):
        series = the_series()

        assert api.post(at(series, "pause/")).json()["is_full"] is False
        assert api.post(at(series, "resume/")).json()["is_full"] is True
        assert api.post(at(series, "end/")).json()["is_full"] is False

    def test_nor_one_that_waits(self, api, task, monkeypatch):
        monkeypatch.setattr(selectors, "MOST_OPEN", 1)

        assert api.get(at(the_series())).json()["is_full"] is False
