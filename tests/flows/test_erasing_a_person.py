"""A person is erased: nothing in the database tells who they were or what they wrote, and nothing brings it back."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from apps.accounts import backoff, credentials
from apps.accounts.models import User
from apps.audit import erasing, verification
from apps.audit.models import AuditContent, AuditRecord
from apps.events import context, crash, jobs, subscriptions
from apps.events.context import Cause
from apps.events.models import DeadLetter, Event, HandledEvent, OutboxEntry
from apps.events.subscriptions import ConsumerGroup
from apps.notifications.models import Preferences, WebhookEndpoint
from apps.notifications.selectors import owners as notified
from apps.ops import erasure
from apps.recurrence import selectors as series
from apps.recurrence import services as series_of_owners
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import change_occurrences, end_series, pause_series
from apps.tasks import services
from apps.tasks.events import TaskEvent
from apps.tasks.models import IdempotentAnswer, Tag, Task, TaskList
from tests.support import everywhere
from tests.support.factories import NOW, facts, person, task_of
from tests.support.notified import heard_of, planned, sent
from tests.support.notified import told as told_of

pytestmark = pytest.mark.django_db(transaction=True)

WORD = "quokka"
TRACE = "00-c0ffee00c0ffee00c0ffee00c0ffee00-c0ffee00c0ffee00-01"
WORDS = [WORD, "c0ffee00c0ffee00"]
UNDER_WAY = {"events_event.correlation_id", "events_event.data", "events_event.traceparent"}
TOLD_EVERYWHERE = UNDER_WAY | {
    "accounts_failedsignins.username",
    "accounts_personaltoken.name",
    "accounts_user.email",
    "accounts_user.first_name",
    "accounts_user.last_name",
    "accounts_user.look",
    "accounts_user.username",
    "audit_auditcontent.correlation_id",
    "audit_auditcontent.text",
    "audit_auditcontent.title",
    "django_admin_log.change_message",
    "django_admin_log.object_repr",
    "events_deadletter.envelope",
    "events_deadletter.reason",
    "events_deadletter.traceback",
    "notifications_delivery.content",
    "notifications_delivery.error",
    "notifications_notification.text",
    "notifications_notification.title",
    "notifications_remindedtask.title",
    "notifications_webhookendpoint.description",
    "notifications_webhookendpoint.url",
    "tasks_idempotentanswer.data",
    "tasks_tag.folded_name",
    "tasks_tag.name",
    "tasks_task.description",
    "tasks_task.search",
    "tasks_task.title",
    "tasks_task.title_order",
    "tasks_tasklist.name",
}


def told():
    return everywhere.found(WORDS)


@pytest.fixture
def chores(monkeypatch):
    """A group that cannot handle one of the tasks."""
    monkeypatch.setattr(subscriptions, "_groups", dict(subscriptions._groups))
    group = ConsumerGroup("chores")
    group.seen = []

    @group.on(TaskEvent.CREATED, TaskEvent.UPDATED, TaskEvent.PURGED)
    def do_chores(event):
        group.seen.append(dict(event.data))
        if "poison" in event.data["task"]["title"]:
            raise ValueError(f"cannot do {event.data['task']['title']}")

    return group


@pytest.fixture
def mail_folder(settings, tmp_path):
    settings.EMAIL_HOST, settings.EMAIL_FILE_PATH = "", str(tmp_path)
    return tmp_path


def was_told(user):
    """Of a reminder that waits, and of one that came by mail."""
    planned(heard_of(user, title=f"Call the {WORD}"), at=NOW + timedelta(days=400))
    notification = told_of(user, title=f"Pay the {WORD} rent", text=f"The {WORD} rent is due")
    sent(notification, attempts=2, content={"text": f"The {WORD} rent is due"}, error=f"no {WORD} there")
    Preferences.objects.create(owner=user, updated_at=NOW)
    WebhookEndpoint.objects.create(
        owner=user,
        url=f"https://{WORD}.example.org/",
        description=f"{WORD} bot",
        secret=b"sealed",
        created_at=NOW,
        updated_at=NOW,
    )


def a_life(user, client):
    """What a person leaves in every room."""
    with context.caused_by(Cause(f"{WORD}-correlation", TRACE)):
        home = services.create_list(owner=user, actor=user, name=f"{WORD} home", now=NOW)
        rent = task_of(
            user,
            title=f"Pay the {WORD} rent",
            description=f"To the {WORD} landlord",
            tags=[f"{WORD} money"],
            list=home.pk,
            due_on=NOW.date() + timedelta(days=3),
            recurrence="monthly",
            reminders=[{"before_due": "PT30M"}],
        )
        part = task_of(user, title=f"Find the {WORD} form", parent=rent.pk)
        services.complete_task(task_id=part.pk, actor=user, now=NOW)
        services.delete_task(task_id=task_of(user, title=f"Old {WORD}").pk, actor=user, now=NOW)
        task_of(user, title=f"A poison {WORD}")
        was_told(user)
    credentials.start_sign_in(user=user, now=NOW)
    credentials.create_personal_token(user=user, name=f"{WORD} laptop", scopes=["read"], expires_at=None, now=NOW)
    credentials.issue_ticket(user=user)
    backoff.begin_attempt(username=user.username, address="192.0.2.1")
    for thing in (user, rent):
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(thing),
            object_id=str(thing.pk),
            object_repr=str(thing),
            action_flag=CHANGE,
            change_message=f"{WORD} changed",
        )
    client.force_login(user)
    answer = client.post(
        "/api/v1/tasks/", {"title": f"By REST, {WORD}"}, "application/json", headers={"Idempotency-Key": "once"}
    )
    assert answer.status_code == 201


@pytest.fixture
def quokka(pump, chores, client, mail_folder):
    user = person(WORD, first_name=WORD.title(), last_name=f"Mc{WORD}")
    a_life(user, client)
    (mail_folder / "1.log").write_text(f"To: {user.email}\n\nHello {WORD},")
    (mail_folder / "2.log").write_text("To: ada@example.org\n\nHello Ada,")
    pump.run()
    return user


@pytest.fixture
def repeating(pump, quokka):
    """Series of theirs in every state: one that goes on, with a value kept from another occurrence, one paused, one
    ended, one done to its end, one whose task is deleted.
    """
    tasks = [
        task_of(quokka, title=f"{WORD} {number}", due_on=NOW.date(), recurrence=recurrence)
        for number, recurrence in enumerate(["daily", "weekly", "monthly", "FREQ=DAILY;COUNT=2", "yearly"])
    ]
    pump.run()
    opened = [series.series_of_task(task.pk, owner=quokka) for task in tasks]
    changing = {"actor": quokka, "now": NOW}
    change_occurrences(task_id=tasks[0].pk, scope="this", changes={"title": f"{WORD}, only today"}, **changing)
    pause_series(series_id=opened[1].pk, **changing)
    end_series(series_id=opened[2].pk, **changing)
    services.complete_task(task_id=tasks[3].pk, **changing)
    pump.run()
    services.complete_task(task_id=Occurrence.objects.get(series=opened[3], number=2).task_id, **changing)
    services.delete_task(task_id=tasks[4].pk, **changing)
    pump.run()
    return [Series.objects.get(pk=one.pk) for one in opened]


def test_series_in_every_state_go_with_their_owner_and_none_comes_back(pump, quokka, repeating):
    states = [(one.paused_at is not None, one.ended_because) for one in repeating]
    before = told()

    erase(quokka)
    left_at_once = (Series.objects.count(), Occurrence.objects.count())
    finish(pump)
    pump.redeliver_everything()
    jobs.reconcile_group("recurrence")
    jobs.erase_again()

    assert states == [(False, ""), (True, ""), (False, "asked"), (False, "count"), (False, "deleted")]
    assert before == TOLD_EVERYWHERE | {"recurrence_occurrence.only_here"}
    assert left_at_once == (0, 0)
    assert (Series.objects.count(), Occurrence.objects.count(), Task.objects.count()) == (0, 0, 0)
    assert told() == set()
    assert verification.verify(now=timezone.now()).sound


def test_what_repeats_and_was_still_on_its_way_opens_no_series_and_makes_no_task(pump, quokka):
    task_of(quokka, title=f"Water the {WORD}", due_on=NOW.date(), recurrence="daily")
    done = task_of(quokka, title=f"Feed the {WORD}", due_on=NOW.date(), recurrence="daily")
    services.complete_task(task_id=done.pk, actor=quokka, now=NOW)

    erase(quokka)
    finish(pump)

    assert (Series.objects.count(), Task.objects.count()) == (0, 0)
    assert not DeadLetter.objects.filter(group="recurrence").exists()
    assert told() == set()


def test_what_is_due_and_was_still_on_its_way_plans_no_reminder_and_tells_nobody(pump, quokka):
    task_of(quokka, title=f"Feed the {WORD}", due_at=timezone.now() + timedelta(days=2))
    planned(heard_of(quokka, title=f"Pet the {WORD}"), at=NOW)

    erase(quokka)
    finish(pump)
    pump.redeliver_everything()
    jobs.reconcile_group("notifications")

    assert set(notified.counts_of(quokka.pk).values()) == {0}
    assert not DeadLetter.objects.filter(group="notifications").exists()
    assert told() == set()


def erase(user, *options):
    out = StringIO()
    call_command("erase_user", str(user.pk), "--yes", "--json", *options, stdout=out)
    return json.loads(out.getvalue())


def finish(pump):
    """What the other processes do within a minute."""
    pump.run()
    jobs.erase_again()


def everything():
    """Every row there is, but what only notes that somebody looked."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name != "events_groupprogress"]
        rows = {}
        for table in sorted(tables):
            cursor.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1')
            rows[table] = cursor.fetchall()
    return rows


def test_nothing_in_the_database_tells_who_an_erased_person_was_or_what_they_wrote(pump, quokka, mail_folder):
    before = told()

    erase(quokka)
    finish(pump)

    assert before == TOLD_EVERYWHERE
    assert told() == set()
    assert Session.objects.count() == 0
    assert [path.name for path in mail_folder.iterdir()] == ["2.log"]
    assert not (Task.objects.exists() or TaskList.objects.exists() or Tag.objects.exists())
    assert not IdempotentAnswer.objects.exists()
    assert set(notified.counts_of(quokka.pk).values()) == {0}


def test_of_an_erased_person_an_empty_row_stays_that_the_trail_points_to(pump, quokka):
    erase(quokka)
    finish(pump)

    row = User.objects.get(pk=quokka.pk)
    assert row.username == row.look == f"erased-{quokka.pk.hex[-12:]}"
    assert (row.email, row.get_full_name(), row.time_zone, row.last_login) == ("", "", "UTC", None)
    assert (row.is_active, row.has_usable_password(), row.erased_at is not None) == (False, False, True)
    assert (row.sign_ins.count(), row.personal_tokens.count()) == (0, 0)


def test_the_log_keeps_every_count_and_order_and_verifies(pump, quokka, capsys):
    before = [(one.position, one.event_id, one.subject_version, one.type) for one in Event.objects.all()]

    erase(quokka)
    finish(pump)

    after = [(one.position, one.event_id, one.subject_version, one.type) for one in Event.objects.all()]
    assert after[: len(before)] == before
    assert facts().last().type == "account.erased.v1"
    assert Event.objects.filter(erased_at=None).get().type == "account.erased.v1"
    call_command("verify_events")
    assert "BROKEN" not in capsys.readouterr().out
    proof = verification.verify(now=timezone.now())
    assert (proof.sound, proof.erased) == (True, AuditRecord.objects.count() - 1)


def test_nothing_comes_back_with_a_redelivery_a_replay_or_the_reconcile(pump, quokka, chores, capsys):
    erase(quokka)
    finish(pump)
    hollow = Event.objects.exclude(erased_at=None).count()
    seen = len(chores.seen)

    pump.redeliver_everything()
    jobs.reconcile_group("audit")
    jobs.reconcile_group("chores")
    call_command("replay_events", "--group", "chores", "--since", "2026-01-01", "--json")
    jobs.erase_again()

    assert told() == set()
    assert chores.seen[seen:] == []
    assert Event.objects.exclude(erased_at=None).count() == hollow
    replayed = json.loads(capsys.readouterr().out)
    wanted = Event.objects.filter(type__in=["task.created.v1", "task.updated.v1", "task.purged.v1"]).count()
    assert (replayed["handled"], replayed["repeated"], replayed["erased"]) == (0, 0, wanted)


def test_a_new_group_is_not_given_hollow_events(pump, quokka, monkeypatch):
    erase(quokka)
    finish(pump)
    late = ConsumerGroup("audit-too")
    seen = []
    late.on_batch("*")(seen.extend)
    pump.broker.partitions.clear()

    jobs.reconcile_group("audit-too")

    assert [one.type for one in seen] == ["account.erased.v1"]


def test_the_news_of_the_erasure_says_nothing_of_the_person(pump, quokka):
    admin = person("grace", is_staff=True)

    erase(quokka, "--by", "grace")
    finish(pump)

    told = Event.objects.get(type="account.erased.v1")
    assert (told.subject_type, told.subject_id, told.owner_id, told.key) == (
        "account",
        quokka.pk,
        quokka.pk,
        str(quokka.pk),
    )
    assert (told.actor_id, told.data, told.topic) == (admin.pk, {}, "account-events")
    assert AuditRecord.objects.filter(type="account.erased.v1").count() == 1


def test_what_was_in_the_outbox_reaches_its_groups_whole_and_is_hollow_afterwards(pump, quokka, chores):
    task = task_of(quokka, title=f"Still on its way, {WORD}")
    chores.seen.clear()

    first = erase(quokka)
    jobs.erase_again()

    on_its_way = Event.objects.filter(subject_id=task.pk, erased_at=None)
    assert on_its_way.get(type="task.created.v1").data["task"]["title"] == f"Still on its way, {WORD}"
    assert first["events_waiting"] == OutboxEntry.objects.count() - 1
    pump.run()
    assert {"task": on_its_way.get(type="task.created.v1").data["task"]} in chores.seen
    jobs.erase_again()
    assert not on_its_way.exists()
    assert told() == set()


def test_what_the_trail_kept_is_gone_in_steps_before_the_command_ends(quokka, monkeypatch):
    """However long a life: nobody waits for a sweep or for the audit group."""
    monkeypatch.setattr(erasing, "STEP", 3)
    kept = AuditContent.objects.count()

    done = erase(quokka)

    assert kept > 3 * erasing.STEP
    assert (done["gone"]["audit_contents"], done["contents_waiting"]) == (kept, 0)
    assert not AuditContent.objects.exists()


def test_what_somebody_else_is_erasing_just_then_is_told_and_goes_with_the_sweep(quokka, pump, monkeypatch):
    monkeypatch.setattr(erasing, "erase_contents", lambda owner_id: 0)
    kept = AuditContent.objects.count()

    first = erase(quokka)
    dry = erase(quokka, "--dry-run")
    monkeypatch.undo()
    erasing.erase_late_contents()

    assert kept > 10
    assert (first["contents_waiting"], dry["contents_waiting"]) == (kept, kept)
    assert erase(quokka)["contents_waiting"] == 0


def test_the_admins_log_is_joined_with_what_they_did_and_not_gone_through_for_each_line(quokka):
    lines = erasure._admin_log_of_things(quokka.pk)

    assert [line.action_flag for line in lines] == [CHANGE]
    assert "SubPlan" not in lines.explain()


def test_what_a_group_has_not_handled_yet_waits_for_it(pump, quokka, chores):
    task = task_of(quokka, title=f"Still on its way, {WORD}")
    erase(quokka)
    while pump.relay_once():
        pass
    pump.consume(subscriptions.group_named("audit"))

    jobs.erase_again()

    waiting = Event.objects.filter(subject_id=task.pk, erased_at=None, type__in=["task.created.v1", "task.purged.v1"])
    assert waiting.count() == 2
    assert not Event.objects.filter(subject_id=task.pk, type="task.snapshot.v1", erased_at=None).exists()
    finish(pump)
    assert not waiting.exists()


def test_a_parked_dead_letter_is_given_up_and_emptied(pump, quokka):
    letter = DeadLetter.objects.get(type="task.created.v1")
    assert (letter.status, WORD in letter.reason) == ("parked", True)

    erase(quokka)
    finish(pump)

    letter.refresh_from_db()
    assert (letter.status, letter.envelope, letter.traceback) == ("discarded", {}, "")
    assert letter.reason == "Its owner was erased."


def test_one_parked_after_the_erasure_is_emptied_by_the_sweep(pump, quokka):
    task_of(quokka, title=f"Another poison {WORD}")
    erase(quokka)

    pump.run()
    parked = DeadLetter.objects.filter(status="parked").count()
    jobs.erase_again()

    assert parked == 3  # the new one, its purge behind it, and the purge of the first, which quotes it once more
    assert set(DeadLetter.objects.values_list("status", flat=True)) == {"discarded"}
    assert told() == set()


def test_another_persons_things_stay_as_they_are(pump, quokka, client):
    ada = person("ada")
    hers = task_of(ada, title="Feed the cat", tags=["cat"])
    credentials.start_sign_in(user=ada, now=NOW)
    pump.run()
    rows = [User, Task, Event, AuditRecord, HandledEvent]
    before = {model: list(model._default_manager.filter(pk__in=_pks(model, ada)).values()) for model in rows}

    erase(quokka)
    finish(pump)

    after = {model: list(model._default_manager.filter(pk__in=_pks(model, ada)).values()) for model in rows}
    assert after == before
    assert Task.objects.get() == hers
    assert (ada.sign_ins.count(), Tag.objects.get().name) == (1, "cat")


def _pks(model, owner):
    if model is User:
        return [owner.pk]
    if model is HandledEvent:
        ids = Event.objects.filter(owner_id=owner.pk).values_list("event_id", flat=True)
        return list(HandledEvent.objects.filter(event_id__in=ids).values_list("pk", flat=True))
    return list(model._default_manager.filter(owner_id=owner.pk).values_list("pk", flat=True))


def test_a_dry_run_changes_nothing_and_says_what_would_go(quokka):
    before = everything()

    would = erase(quokka, "--dry-run")

    assert everything() == before
    assert (would["erased"], would["would_go"]["tasks"], would["would_go"]["lists"]) == (False, 5, 1)
    assert (would["would_go"]["dead_letters"], would["would_go"]["sessions"], would["would_go"]["mails"]) == (1, 1, 1)


class Killed(BaseException):
    """As final as the end of the process."""


@pytest.mark.parametrize("point", ["erasure.deactivated", "erasure.purged", "erasure.erased", "audit.contents_erased"])
def test_an_erasure_killed_on_the_way_goes_on_when_it_is_run_again(pump, quokka, monkeypatch, point):
    monkeypatch.setattr(erasing, "STEP", 3)
    monkeypatch.setattr(crash, "at", lambda passed: _die(passed, point))
    with pytest.raises(Killed):
        erase(quokka)
    monkeypatch.undo()
    left = told()

    erase(quokka)
    finish(pump)

    assert left
    assert told() == set()
    assert Event.objects.filter(type="account.erased.v1").count() == 1
    assert User.objects.get(pk=quokka.pk).deactivations == 1


def _die(passed, point):
    if passed == point:
        raise Killed


def test_a_second_erasure_says_so_and_is_no_second_event(pump, quokka):
    erase(quokka)
    finish(pump)
    before = everything()

    again = erase(quokka)

    erased_at = User.objects.get(pk=quokka.pk).erased_at
    assert again == {
        "user_id": str(quokka.pk),
        "erased": True,
        "erased_before": erased_at.isoformat(),
        "events_waiting": 0,
        "contents_waiting": 0,
    }
    assert everything() == before


@pytest.mark.parametrize("rights", [{"is_staff": True}, {"is_superuser": True}])
def test_staff_are_refused(quokka, rights):
    User.objects.filter(pk=quokka.pk).update(**rights)
    before = everything()

    with pytest.raises(CommandError, match="Staff are not erased") as refused:
        erase(quokka)

    assert refused.value.returncode == 2
    assert everything() == before


def test_without_a_yes_where_nobody_can_be_asked_nothing_happens(quokka):
    before = everything()

    with pytest.raises(CommandError, match="Nobody is there to be asked") as refused:
        call_command("erase_user", WORD)

    assert refused.value.returncode == 2
    assert everything() == before


class Person:
    """Somebody at a terminal."""

    def __init__(self, answer):
        self.answer = answer

    def isatty(self):
        return True

    def readline(self):
        return f"{self.answer}\n"


def test_at_a_terminal_another_name_than_theirs_stops_it(quokka, monkeypatch):
    monkeypatch.setattr("sys.stdin", Person("yes"))
    before = everything()

    with pytest.raises(CommandError, match="not the username") as refused:
        call_command("erase_user", WORD)

    assert refused.value.returncode == 2
    assert everything() == before


def test_at_a_terminal_their_name_lets_it_go_on(pump, quokka, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Person(WORD))

    call_command("erase_user", WORD)

    told = capsys.readouterr()
    assert told.out == f"{quokka.pk} is erased.\n"
    assert "5 tasks, 1 list, 1 tag, 1 series, " in told.err
    assert "1 notification, 1 delivery, 1 notification preference, 1 webhook, 1 answer, 1 sign in" in told.err
    finish(pump)
    assert everywhere.found(WORDS) == set()


@pytest.mark.parametrize("name", ["nobody-at-all", "01890000-0000-7000-8000-000000000000"])
def test_nobody_of_that_name_or_id_is_wrong_use(db, name):
    with pytest.raises(CommandError, match="Nobody is called") as refused:
        call_command("erase_user", name, "--yes")

    assert refused.value.returncode == 2


def test_what_comes_in_beside_the_purge_makes_it_stop_before_the_end(quokka, monkeypatch):
    monkeypatch.setattr("apps.ops.erasure._purge", lambda *args, **more: None)

    with pytest.raises(CommandError, match="written meanwhile"):
        erase(quokka)

    row = User.objects.get(pk=quokka.pk)
    assert (row.erased_at, row.username, Task.objects.count()) == (None, WORD, 5)
    assert not Event.objects.filter(type="account.erased.v1").exists()


def test_a_series_that_was_opened_beside_the_purge_makes_it_stop_before_the_end(quokka, monkeypatch):
    def purge_tasks(owner_id, **_):
        while services.purge_owner(owner_id=owner_id, now=NOW):
            pass

    monkeypatch.setattr("apps.ops.erasure._purge", purge_tasks)

    with pytest.raises(CommandError, match="written meanwhile"):
        erase(quokka)

    row = User.objects.get(pk=quokka.pk)
    assert (row.erased_at, row.username, Task.objects.count(), Series.objects.count()) == (None, WORD, 0, 1)


def test_a_notification_that_came_beside_the_purge_makes_it_stop_before_the_end(quokka, monkeypatch):
    def purge(owner_id, **_):
        while series_of_owners.forget_owner(owner_id=owner_id, now=NOW):
            pass
        while services.purge_owner(owner_id=owner_id, now=NOW):
            pass

    monkeypatch.setattr("apps.ops.erasure._purge", purge)

    with pytest.raises(CommandError, match="written meanwhile"):
        erase(quokka)

    row = User.objects.get(pk=quokka.pk)
    assert (row.erased_at, row.username, Task.objects.count()) == (None, WORD, 0)
    assert notified.counts_of(quokka.pk)["notifications"] == 1
