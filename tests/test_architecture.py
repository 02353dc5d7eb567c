"""The wiring on one screen, pinned: who handles what, what travels where, what beats, who may import whom.

A change here is a change of the system's shape: change the documents with it.
"""

import ast
import importlib
import importlib.util
import pkgutil
import shutil
from pathlib import Path

import pytest
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class

from apps.events import event_types, schedules
from apps.events.management.commands.list_subscriptions import wiring
from apps.events.subscriptions import groups
from tests.conftest import folders_of_marks

ROOT = Path(settings.BASE_DIR)
ROOMS = [ROOT / "apps", ROOT / "todo_project"]
MODULES = sorted(path for room in ROOMS for path in room.rglob("*.py"))
OUR_APPS = sorted(config.name for config in apps.get_app_configs() if config.name.startswith("apps."))
OUR_COMMANDS = sorted(
    (name, app) for name, app in get_commands().items() if str(app).startswith(("apps.", "todo_project"))
)


def imports(path):
    """The modules a file imports, also those inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def importers(package):
    return sorted(
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(name == package or name.startswith(f"{package}.") for name in imports(path))
    )


def recurrence(event_type, function):
    return {
        "group": "recurrence",
        "types": event_type,
        "function": f"apps.recurrence.subscribers.{function}",
        "takes": "event",
        "transaction": "event",
        "failing for good": "parked",
    }


def notifications(types, function, *, takes="batch"):
    return {
        "group": "notifications",
        "types": types,
        "function": f"apps.notifications.subscribers.{function}",
        "takes": takes,
        "transaction": "batch",
        "failing for good": "parked",
    }


OF_TASKS = ", ".join(
    f"task.{verb}.v1" for verb in ("created", "updated", "completed", "reopened", "deleted", "restored", "purged")
)


def test_every_subscription_is_this_one():
    assert wiring() == [
        {
            "group": "audit",
            "types": "*",
            "function": "apps.audit.subscribers.record_entries",
            "takes": "batch",
            "transaction": "batch",
            "failing for good": "retried for ever",
        },
        notifications("account.time_zone_changed.v1", "follow_time_zones"),
        notifications(f"{OF_TASKS}, reminder.triggered.v1", "plan_and_tell"),
        notifications("account.erased.v1", "forget_owner", takes="event"),
        recurrence("task.created.v1", "open_series"),
        recurrence("task.updated.v1", "follow_recurrence"),
        recurrence("task.completed.v1", "advance_series"),
        recurrence("task.deleted.v1", "leave_deleted"),
        recurrence("task.restored.v1", "reopen_restored"),
        recurrence("account.time_zone_changed.v1", "move_to_time_zone"),
        recurrence("account.erased.v1", "forget_owner"),
    ]


def test_every_type_travels_on_this_topic():
    assert {event_type.name: event_type.topic for event_type in event_types.declared()} == {
        "account.erased.v1": "account-events",
        "account.time_zone_changed.v1": "account-events",
        "list.created.v1": "task-events",
        "list.deleted.v1": "task-events",
        "list.snapshot.v1": "task-updates",
        "list.updated.v1": "task-events",
        "tag.created.v1": "task-events",
        "tag.deleted.v1": "task-events",
        "tag.snapshot.v1": "task-updates",
        "tag.updated.v1": "task-events",
        "recurrence.changed.v1": "recurrence-events",
        "recurrence.ended.v1": "recurrence-events",
        "recurrence.generated.v1": "recurrence-events",
        "recurrence.skipped.v1": "recurrence-events",
        "reminder.scheduled.v1": "reminders",
        "reminder.rescheduled.v1": "reminders",
        "reminder.cancelled.v1": "reminders",
        "reminder.triggered.v1": "reminders",
        "reminder.snoozed.v1": "reminders",
        "reminder.stale.v1": "reminders",
        "reminder.delivered.v1": "reminders",
        "reminder.failed.v1": "reminders",
        "notification.created.v1": "notifications",
        "notification.updated.v1": "notifications",
        "task.purged.v1": "task-events",
        "task.snapshot.v1": "task-updates",
        "task.created.v1": "task-events",
        "task.updated.v1": "task-events",
        "task.completed.v1": "task-events",
        "task.reopened.v1": "task-events",
        "task.deleted.v1": "task-events",
        "task.restored.v1": "task-events",
    }


def test_every_fact_is_audited():
    audit = next(group for group in groups() if group.name == "audit")

    facts = [event_type for event_type in event_types.declared() if not event_type.snapshot]
    assert audit.types() == facts
    assert audit.unreadable is not None


def test_a_groups_name_is_an_apps_label():
    labels = {config.label for config in apps.get_app_configs()}

    assert {group.name for group in groups()} <= labels


def test_each_group_has_one_queue_and_each_queue_one_group():
    names = [group.name for group in groups()]

    assert names == settings.CONSUMER_GROUPS
    assert [queue.name for queue in settings.CELERY_TASK_QUEUES] == names


def test_every_schedule_rings_a_job_that_exists_in_a_queue_that_exists():
    current_app.loader.import_default_modules()
    queues = {queue.name for queue in settings.CELERY_TASK_QUEUES}

    for name, schedule in schedules.declared().items():
        assert schedule.job in current_app.tasks, name
        assert schedule.queue in queues, name


def test_every_job_lives_in_the_jobs_module_of_its_app():
    current_app.loader.import_default_modules()
    ours = {name: job for name, job in current_app.tasks.items() if not name.startswith("celery.")}

    places = {name: job.__module__ for name, job in ours.items()}
    assert places == {name: f"apps.{name.split('.')[0]}.jobs" for name in places}
    assert sorted(places) == [
        "audit.erase_late_contents",
        "audit.verify_trail",
        "audit.write_checkpoint",
        "events.erase_again",
        "events.prune_log",
        "events.reconcile_group",
        "notifications.follow_up",
        "notifications.nudge_overdue",
        "notifications.prune",
        "notifications.send",
        "notifications.send_digests",
        "notifications.tell_of_failing_webhooks",
        "notifications.trigger_due",
        "recurrence.make_due",
        "recurrence.repair",
        "tasks.purge",
    ]


def test_every_celery_job_is_declared_in_a_module_named_jobs():
    assert [place for place in importers("celery.shared_task") if not place.endswith("/jobs.py")] == []


FORBIDDEN_NAMES = {"utils", "helpers", "common", "handlers", "misc", "lib"}


def test_no_module_has_a_name_that_says_nothing():
    places = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}

    assert places & FORBIDDEN_NAMES == set()


def test_only_the_kafka_broker_knows_kafkas_client():
    rooms = {"/".join(place.split("/")[:-1]) for place in importers("confluent_kafka")}

    assert rooms == {"apps/events/brokers/kafka", "apps/dev/embedded"}


def test_audit_does_not_know_tasks():
    assert [place for place in importers("apps.tasks") if place.startswith("apps/audit/")] == []


def test_the_event_core_knows_no_other_app():
    others = [name for name in OUR_APPS if name != "apps.events"]

    known = [place for other in others for place in importers(other) if place.startswith("apps/events/")]
    assert known == []


def test_the_calendar_knows_neither_django_nor_http_nor_another_app():
    frameworks = {*importers("django"), *importers("rest_framework")}
    others = {place for app in OUR_APPS for place in importers(app)}

    assert [place for place in sorted(frameworks | others) if place.startswith("apps/calendar/")] == []


def test_services_selectors_and_subscribers_do_not_know_http():
    places = {Path(place).stem for place in importers("rest_framework") if place.startswith("apps/")}

    assert places & {"services", "selectors", "subscribers", "publishers", "models", "jobs"} == set()


def test_the_environment_is_read_in_one_module_and_by_those_that_run_before_it():
    """Settings come from `todo_project.env`; crash points and the laptop's own processes are told directly."""
    places = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if "os.environ.get" in path.read_text() and not str(path.relative_to(ROOT)).startswith("apps/dev/")
    ]

    assert places == ["apps/events/crash.py", "todo_project/env.py"]


def test_the_makefile_says_where_the_tests_of_each_mark_are():
    """`tests/conftest.py` refuses whatever is marked so and stands elsewhere."""
    assert folders_of_marks().keys() == {"faults", "kafka", "soak"}
    assert [folder for folders in folders_of_marks().values() for folder in folders if not folder.is_dir()] == []


def test_every_module_says_what_it_owns():
    silent = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if "migrations" not in path.parts
        and path.name not in {"__init__.py", "apps.py"}
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


@pytest.mark.parametrize(("name", "app"), OUR_COMMANDS)
def test_a_command_says_what_it_does(name, app):
    assert len(load_command_class(app, name).help) > 20


def test_there_are_these_commands_of_the_event_core():
    assert [name for name, app in OUR_COMMANDS if app == "apps.events"] == [
        "create_topics",
        "dead_letters",
        "held",
        "list_subscriptions",
        "relay_outbox",
        "replay_events",
        "sync_schedules",
        "tail_topic",
        "verify_events",
    ]


def test_a_roles_program_is_there():
    assert {role: bool(shutil.which(command[0])) for role, command in settings.ROLES.items()} == dict.fromkeys(
        settings.ROLES, True
    )


def test_a_roles_module_or_command_is_there():
    modules = {command[2] for command in settings.ROLES.values() if command[1] == "-m"}
    commands = {command[2] for command in settings.ROLES.values() if command[1] == "manage.py"}

    assert modules == {"granian", "todo_project.socket_server", "celery"}
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    assert commands == {"relay_outbox"}
    assert commands <= set(get_commands())


@pytest.mark.parametrize("role", ["web", "ws"])
def test_what_a_server_is_told_to_serve_is_there(role):
    target = next(word for word in settings.ROLES[role] if ":" in word and word.startswith("todo_project"))
    module, _, name = target.partition(":")

    assert callable(getattr(importlib.import_module(module), name))


def test_every_group_has_a_role():
    assert [role for role in settings.ROLES if role.startswith("worker-")] == [
        f"worker-{group.name}" for group in groups()
    ]


def test_every_module_can_be_imported():
    names = [
        module.name
        for app in OUR_APPS
        for module in pkgutil.walk_packages(importlib.import_module(app).__path__, f"{app}.")
        if not module.name.endswith("__main__")
    ]

    for name in names:
        importlib.import_module(name)
