"""The application's database role: what it cannot do to the trail and the log, and all that it can.

A role is made for real, enters by itself, and has what `rights.grant` gives it. The tests' own role is the owner.
"""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, transaction
from psycopg.errors import InsufficientPrivilege

from apps.audit.models import AuditContent, AuditRecord
from apps.audit.subscribers import group
from apps.events import handling, rights
from apps.events.models import Event
from apps.events.rights import RightsNotGranted, TooMuch
from tests.support.append_only import guards_off
from tests.support.application_role import login_role
from tests.support.factories import append, backdated_event, event

pytestmark = pytest.mark.django_db(transaction=True)

Session = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def role(transactional_db) -> Iterator[tuple[str, str]]:
    """A role with its rights: its name and its URL."""
    with login_role() as (name, url):
        rights.grant(to=name, using="default")
        yield name, url


@pytest.fixture
def application(role: tuple[str, str]) -> Iterator[Session]:
    with psycopg.connect(role[1], autocommit=True) as session:
        yield session


@pytest.fixture
def one_fact(transactional_db) -> None:
    """One event in the log, one record of it in the trail, with its content."""
    one = event()
    append(one)
    handling.handle(group, [one])


def own(statement: str) -> None:
    """As the owner of the tables."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def kept() -> tuple[int, int, int]:
    return Event.objects.count(), AuditRecord.objects.count(), AuditContent.objects.count()


TRAIL = ["audit_auditrecord", "audit_auditcontent"]
REFUSED = {
    **{
        f"{what} {table}": statement.format(table)
        for table in (*TRAIL, "events_event")
        for what, statement in {
            "update": "UPDATE {} SET owner_id = NULL",
            "truncate": "TRUNCATE {}",
            "truncate with all that refers to": "TRUNCATE {} CASCADE",
            "switch off the guards of": "ALTER TABLE {} DISABLE TRIGGER ALL",
            "add a column to": "ALTER TABLE {} ADD COLUMN x int",
            "make a trigger on": "CREATE TRIGGER t BEFORE INSERT ON {} EXECUTE FUNCTION events_refuse_change()",
            "make a rule on": "CREATE RULE r AS ON INSERT TO {} DO INSTEAD NOTHING",
            "drop": "DROP TABLE {} CASCADE",
            "take over": "ALTER TABLE {} OWNER TO CURRENT_USER",
        }.items()
    },
    **{f"delete from {table}": f"DELETE FROM {table}" for table in TRAIL},
    "find otherwise what a verification found": "UPDATE audit_auditverification SET sound = true",
    "lock the trail's rows as if to change them": "SELECT 1 FROM audit_auditrecord FOR UPDATE",
    "drop a guard": "DROP TRIGGER event_refuse_update ON events_event",
    "replace what a guard does": (
        "CREATE OR REPLACE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    ),
    "drop what a guard does": "DROP FUNCTION events_refuse_change() CASCADE",
    "switch off all guards of a session": "SET session_replication_role = replica",
    "make a table": "CREATE TABLE made (number int)",
    "make a schema": "CREATE SCHEMA made",
    "say when an event was logged": "INSERT INTO events_event (type, recorded_at) VALUES ('x', now())",
    "say in which transaction": "INSERT INTO events_event (type, transaction_id) VALUES ('x', 1)",
    "say where in the log": "INSERT INTO events_event (type, position) VALUES ('x', 9000000000000000000)",
    "say that an event was emptied": "INSERT INTO events_event (type, erased_at) VALUES ('x', now())",
    "number a record": "INSERT INTO audit_auditrecord (type, id) VALUES ('x', 9000000000000000000)",
    "say that a migration ran": "INSERT INTO django_migrations (app, name, applied) VALUES ('audit', 'x', now())",
    "forget a migration": "DELETE FROM django_migrations",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_the_application_is_refused(one_fact, application, statement):
    with pytest.raises(InsufficientPrivilege) as refused:
        application.execute(statement)

    assert refused.value.sqlstate == "42501"
    assert kept() == (1, 1, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditrecord SET owner_id = NULL",
        "UPDATE events_event SET owner_id = NULL",
        "DELETE FROM audit_auditrecord",
        "DELETE FROM audit_auditcontent",
        "TRUNCATE audit_auditrecord",
        "TRUNCATE events_event CASCADE",
        "ALTER TABLE audit_auditrecord DISABLE TRIGGER USER",
        "ALTER TABLE audit_auditrecord ADD COLUMN x int",
        "DROP TRIGGER event_refuse_update ON events_event",
        "CREATE OR REPLACE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TABLE made (number int)",
    ],
)
def test_the_owner_with_the_guards_off_does_it(one_fact, statement):
    """Negative control: it is the missing right that refuses, and nothing else. Rolled back, as it changes tables."""
    with guards_off(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        transaction.set_rollback(True)

    assert kept() == (1, 1, 1)


def test_old_events_may_be_pruned_and_young_ones_may_not(one_fact, application):
    old = backdated_event(event(), days=91)

    assert application.execute("DELETE FROM events_event WHERE position = %s", [old]).rowcount == 1
    with pytest.raises(psycopg.errors.RestrictViolation):
        application.execute("DELETE FROM events_event")

    assert kept() == (1, 1, 1)


def test_the_application_appends_reads_locks_and_copies(application, one_fact):
    application.execute(
        "SELECT pg_try_advisory_lock(42), pg_current_xact_id(), set_config('lock_timeout', '1s', false)"
    )
    with application.cursor() as cursor, cursor.copy("COPY accounts_failedsignins FROM STDIN"):
        pass

    assert application.execute("SELECT count(*) FROM audit_auditrecord").fetchone() == (1,)
    assert application.execute("SELECT count(*) > 0 FROM django_migrations").fetchone() == (True,)
    assert application.execute("UPDATE django_celery_beat_periodictask SET enabled = false").rowcount == 0


def test_numbers_of_rows_are_drawn_and_never_set_back(application):
    application.execute("SELECT nextval(pg_get_serial_sequence('audit_auditrecord', 'id'))")

    with pytest.raises(InsufficientPrivilege):
        application.execute("SELECT setval(pg_get_serial_sequence('audit_auditrecord', 'id'), 1)")


def test_the_function_that_erases_may_be_called_and_erases_nobody_who_is_not_erased(application, one_fact):
    owner = AuditContent.objects.get().owner_id

    assert application.execute("SELECT audit_erase_some_contents(%s, 2000)", [owner]).fetchone() == (0,)
    assert application.execute("SELECT audit_erase_contents(%s)", [owner]).fetchone() == (0,)
    assert kept() == (1, 1, 1)


def test_granting_again_takes_away_what_came_beside_it(role, application):
    name, _ = role
    own(f"GRANT ALL ON audit_auditrecord TO {name}")
    own(f"GRANT UPDATE (owner_id) ON audit_auditcontent TO {name}")
    own(f"GRANT TRUNCATE ON tasks_task TO {name}")
    own("GRANT DELETE ON audit_auditrecord TO PUBLIC")

    rights.grant(to=name, using="default")

    for statement in (
        "DELETE FROM audit_auditrecord",
        "UPDATE audit_auditcontent SET owner_id = NULL",
        "TRUNCATE tasks_task CASCADE",
    ):
        with pytest.raises(InsufficientPrivilege):
            application.execute(statement)


def test_a_table_that_comes_later_is_closed_until_the_next_grant(role, application):
    own("CREATE TABLE later (number int)")
    try:
        with pytest.raises(InsufficientPrivilege):
            application.execute("SELECT * FROM later")

        rights.grant(to=role[0], using="default")

        assert application.execute("INSERT INTO later VALUES (1)").rowcount == 1
        with pytest.raises(InsufficientPrivilege):
            application.execute("TRUNCATE later")
    finally:
        own("DROP TABLE later")


def test_the_owner_is_not_granted_to_itself(transactional_db):
    with pytest.raises(RightsNotGranted, match="the application needs a role of its own"):
        rights.grant(to=connection.settings_dict["USER"], using="default")


def test_a_restricted_table_that_is_not_there_is_named_and_nothing_is_granted(monkeypatch):
    monkeypatch.setitem(rights._restricted, "audit_misspelt", frozenset({"SELECT"}))

    with login_role() as (name, url):
        with pytest.raises(RightsNotGranted, match="There is no audit_misspelt"):
            rights.grant(to=name, using="default")

        with psycopg.connect(url) as session, pytest.raises(InsufficientPrivilege):
            session.execute("SELECT * FROM tasks_task")


def test_the_declared_tables_are_these():
    assert rights.restricted() == {
        "audit_auditcontent": {"SELECT", "INSERT"},
        "audit_auditrecord": {"SELECT", "INSERT"},
        "audit_auditverification": {"SELECT", "INSERT", "DELETE"},
        "django_migrations": {"SELECT"},
        "events_event": {"SELECT", "INSERT", "DELETE"},
    }


@pytest.mark.parametrize("to", [{"TRUNCATE"}, {"SELECT", "TRIGGER"}, {"select"}])
def test_no_table_is_restricted_to_what_the_application_never_has(to):
    with pytest.raises(ValueError, match="which the application never has"):
        rights.restrict("some_table", to=to)

    assert "some_table" not in rights.restricted()


def test_a_table_is_declared_one_way():
    with pytest.raises(ValueError, match="declared twice"):
        rights.restrict("events_event", to={"SELECT"})


# --- Findings -----------------------------------------------------------------------------------------


@pytest.fixture
def as_application(role) -> Iterator[None]:
    """Django's own connection, as the application's role."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION ROLE {role[0]}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


def test_nothing_is_too_much_for_a_role_that_was_granted_its_rights(as_application):
    assert rights.excess() == []


def test_an_owner_can_do_too_much(transactional_db):
    found = rights.excess()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        tables = cursor.fetchone()[0]
    assert found == [
        TooMuch("", "may create in the schema"),
        TooMuch("", "may create schemas"),
        TooMuch("", f"owns {tables} tables and could switch their guards off"),
        TooMuch("events_event", "owns it"),
        TooMuch("django_migrations", "owns it"),
        TooMuch("audit_auditrecord", "owns it"),
        TooMuch("audit_auditcontent", "owns it"),
        TooMuch("audit_auditverification", "owns it"),
    ]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("GRANT UPDATE, TRUNCATE ON audit_auditrecord TO {}", "audit_auditrecord: may TRUNCATE, UPDATE"),
        ("GRANT UPDATE (type) ON events_event TO {}", "events_event: may UPDATE"),
        ("GRANT DELETE ON audit_auditcontent TO PUBLIC", "audit_auditcontent: may DELETE"),
        ("GRANT TRIGGER ON audit_auditrecord TO {}", "audit_auditrecord: may TRIGGER"),
        ("GRANT CREATE ON SCHEMA public TO {}", "may create in the schema"),
    ],
)
def test_each_right_too_much_is_told(role, given, found):
    own(given.format(role[0]))
    own(f"SET SESSION ROLE {role[0]}")

    told = [str(one) for one in rights.excess()]

    own("RESET ROLE")
    rights.grant(to=role[0], using="default")
    assert told == [found]
