"""The event core in the admin: to look at; deciding about dead letters and schedules is for superusers."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from apps.events import handling, schedules
from apps.events.models import DeadLetter, Event
from apps.tasks.events import TaskEvent
from tests.support.factories import NOW, append, event, life_of_one_subject, person

pytestmark = pytest.mark.django_db

LETTERS = "/admin/events/deadletter/"
LOOKING = ["event", "outboxentry", "groupprogress", "deadletter"]


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def letter(new_group, effect):
    """The first of two parked events of a key; the cause is mended."""
    group = new_group("chores")
    broken = [True]

    @group.on(TaskEvent.CREATED, TaskEvent.UPDATED)
    def apply(one):
        if broken[0]:
            raise ValueError("<b>not yet</b>")
        effect.apply(one)

    handling.handle(group, life_of_one_subject(2))
    broken[0] = False
    return DeadLetter.objects.order_by("id")[0]


def act(client, action, letter):
    response = client.post(LETTERS, {"action": action, "_selected_action": [str(letter.pk)]}, follow=True)
    return [str(message) for message in response.context["messages"]]


def statuses():
    return list(DeadLetter.objects.order_by("id").values_list("status", flat=True))


@pytest.mark.parametrize("model", LOOKING)
def test_the_lists_open(admin, letter, model):
    append(event())
    handling.GroupProgress.objects.get_or_create(group="audit")

    assert admin.get(f"/admin/events/{model}/").status_code == 200


@pytest.mark.parametrize("model", LOOKING)
def test_nothing_is_added(admin, model):
    assert admin.post(f"/admin/events/{model}/add/").status_code == 403


def test_an_event_cannot_be_changed_or_deleted(admin):
    row = append(event())[0]

    answers = [
        admin.post(reverse("admin:events_event_change", args=[row.pk]), {"type": "x"}),
        admin.post(reverse("admin:events_event_delete", args=[row.pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert Event.objects.get().type == "task.created.v1"


def test_a_dead_letter_shows_event_reason_and_traceback(admin, letter):
    page = admin.get(reverse("admin:events_deadletter_change", args=[letter.pk])).content.decode()

    assert "ValueError: &lt;b&gt;not yet&lt;/b&gt;" in page
    assert "Traceback (most recent call last)" in page
    assert "Buy milk" in page


def test_replaying_applies_the_letter_and_those_behind_it(admin, letter):
    assert act(admin, "replay", letter) == [f"{letter.pk}: 2 applied."]
    assert statuses() == ["replayed", "replayed"]


def test_discarding_gives_the_letter_up_and_applies_those_behind_it(admin, letter):
    assert act(admin, "discard", letter) == [f"{letter.pk}: 1 applied."]
    assert statuses() == ["discarded", "replayed"]


def test_deciding_twice_is_told(admin, letter):
    act(admin, "replay", letter)

    told = act(admin, "discard", letter)

    assert told[0].startswith(f"{letter.pk}: DeadLetterNotParked: ")


def test_staff_who_are_no_superusers_decide_nothing(client, letter):
    clerk = person("clerk", is_staff=True)
    from django.contrib.auth.models import Permission

    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="events"))
    client.force_login(clerk)

    client.post(LETTERS, {"action": "replay", "_selected_action": [str(letter.pk)]})

    assert client.get(LETTERS).status_code == 200
    assert statuses() == ["parked", "parked"]


SCHEDULES = {
    "periodictask": {"name": "x"},
    "clockedschedule": {"clocked_time_0": "2027-01-01", "clocked_time_1": "00:00:00"},
    "crontabschedule": {"minute": "1"},
    "intervalschedule": {"every": "1", "period": "days"},
    "solarschedule": {"event": "sunset", "latitude": "1", "longitude": "1"},
}


@pytest.fixture
def one_of_each_schedule():
    schedules.synchronise()
    clocked = ClockedSchedule.objects.create(clocked_time=NOW)
    rows = [CrontabSchedule.objects.create(), SolarSchedule.objects.create(event="dusk", latitude=1, longitude=1)]
    rows += [PeriodicTask.objects.order_by("id")[0], IntervalSchedule.objects.order_by("id")[0], clocked]
    return {type(row)._meta.model_name: row for row in rows}


@pytest.mark.parametrize(("model", "fields"), SCHEDULES.items())
def test_staff_who_are_no_superusers_do_not_reach_the_schedules(client, one_of_each_schedule, model, fields):
    row = one_of_each_schedule[model]
    before = (type(row).objects.count(), type(row).objects.filter(pk=row.pk).values().get())
    clerk = person("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    place = f"/admin/django_celery_beat/{model}"

    answers = [
        client.get(f"{place}/"),
        client.post(f"{place}/add/", fields),
        client.get(f"{place}/{row.pk}/change/"),
        client.post(f"{place}/{row.pk}/change/", fields),
        client.post(f"{place}/{row.pk}/delete/", {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert (type(row).objects.count(), type(row).objects.filter(pk=row.pk).values().get()) == before


@pytest.mark.parametrize("model", SCHEDULES)
def test_superusers_reach_the_schedules(admin, one_of_each_schedule, model):
    row = one_of_each_schedule[model]

    assert admin.get(f"/admin/django_celery_beat/{model}/").status_code == 200
    assert admin.get(f"/admin/django_celery_beat/{model}/{row.pk}/change/").status_code == 200
