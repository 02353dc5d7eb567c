"""The flush between transactional tests: nothing of one test is there in the next, and every guard is on."""

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection
from django.test import TransactionTestCase

from apps.accounts.models import User
from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.models import Event
from tests.support import append_only
from tests.support.append_only import GUARDED_TABLES
from tests.support.factories import append, event

pytestmark = pytest.mark.django_db(transaction=True)


def flush() -> None:
    TransactionTestCase()._fixture_teardown()  # type: ignore[attr-defined]


def one_record() -> None:
    one = event()
    append(one)
    handling.handle(group, [one])


def djangos_own() -> tuple[list[object], list[object]]:
    return list(ContentType.objects.order_by("id").values()), list(Permission.objects.order_by("id").values())


def rows_left() -> dict[str, int]:
    """How many rows each table of a model has that has any."""
    with connection.cursor() as cursor:
        counts: dict[str, int] = {}
        for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    return {table: count for table, count in counts.items() if count}


def guards_that_are_off() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger "
            "WHERE NOT tgisinternal AND tgenabled <> 'O' AND tgrelid = ANY(%s::regclass[])",
            [GUARDED_TABLES],
        )
        return [name for (name,) in cursor.fetchall()]


@pytest.fixture(params=["quick", "Django's"])
def either_way(request, monkeypatch) -> None:
    """Row by row, and by Django's flush: as where a table has grown."""
    flush()
    monkeypatch.setattr(append_only, "_FEW_BYTES", {"quick": append_only._FEW_BYTES, "Django's": 0}[request.param])


def test_nothing_is_left_but_what_django_keeps_and_every_guard_is_on(either_way):
    one_record()
    User.objects.create_user("ada")
    assert (Event.objects.count(), AuditRecord.objects.count()) == (1, 1)

    flush()

    assert rows_left().keys() == {"django_content_type", "auth_permission"}
    assert guards_that_are_off() == []


def test_few_rows_leave_the_rows_of_django_where_they_are():
    flush()
    before = djangos_own()
    one_record()

    flush()

    assert djangos_own() == before


@pytest.mark.parametrize("change", ["INSERT", "UPDATE", "DELETE"])
def test_a_change_of_djangos_own_rows_does_not_last(change):
    flush()
    kept = {(each["codename"], each["name"]) for each in djangos_own()[1]}
    one = Permission.objects.order_by("id").first()
    {
        "INSERT": lambda: Permission.objects.create(codename="x", name="x", content_type_id=one.content_type_id),
        "UPDATE": lambda: Permission.objects.filter(pk=one.pk).update(name="changed"),
        "DELETE": one.delete,
    }[change]()
    assert {(each["codename"], each["name"]) for each in djangos_own()[1]} != kept

    flush()

    assert {(each["codename"], each["name"]) for each in djangos_own()[1]} == kept


def test_it_does_not_pass_by_somebody_who_still_writes():
    flush()
    chosen = connection.settings_dict
    with (
        psycopg.connect(
            host=chosen["HOST"],
            port=chosen["PORT"],
            user=chosen["USER"],
            password=chosen["PASSWORD"],
            dbname=chosen["NAME"],
        ) as writer,
        connection.cursor() as cursor,
    ):
        writer.execute("INSERT INTO django_session VALUES ('left', 'behind', now())")
        cursor.execute("SET lock_timeout = '100ms'")

        with pytest.raises(OperationalError):
            flush()

        cursor.execute("SET lock_timeout = '5s'")
        writer.rollback()
    assert guards_that_are_off() == []


def test_a_guard_that_a_test_left_off_is_on_again():
    flush()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditrecord DISABLE TRIGGER USER")
    assert guards_that_are_off() != []

    flush()

    assert guards_that_are_off() == []
