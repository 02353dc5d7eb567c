"""An event may say that it happened at either end of the calendar; every door shows it, whatever the reader's zone."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from tests.audit.admin_trail import LIST, page_of, record, recorded_at, shown
from tests.support.factories import person, task_data

pytestmark = pytest.mark.django_db

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
ENDS = pytest.mark.parametrize(
    ("instant", "told"), [(FIRST, "0001-01-01T00:00:00Z"), (LAST, "9999-12-31T23:59:59Z")], ids=["first", "last"]
)
ZONES = pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])


def reader(client, zone):
    boss = person(is_staff=True, is_superuser=True, time_zone=zone)
    client.force_login(boss)
    return boss


def at(instant, owner, **fields):
    """Something that happened then, and tells of such an instant too."""
    return record(occurred_at=instant, owner_id=owner.pk, data=task_data(due_at=instant.isoformat()), **fields)


@ZONES
@ENDS
def test_the_list_the_file_and_the_tree_show_it(client, zone, instant, told):
    boss = reader(client, zone)
    kept = at(instant, boss)
    caused = at(instant, boss, causation_id=kept.event_id)

    assert shown(client) == [caused.pk, kept.pk]
    page = page_of(client, caused)
    assert (f"{LIST}{kept.pk}/change/" in page, "this record" in page) == (True, True)
    text = b"".join(client.get(f"{LIST}export/csv/")).decode()
    assert [row["occurred_at"] for row in csv.DictReader(io.StringIO(text[1:]))] == [told, told]
    assert [one["occurred_at"] for one in json.loads(b"".join(client.get(f"{LIST}export/json/")))] == [told, told]


@pytest.mark.parametrize(
    ("zone", "instant", "told"),
    [
        ("UTC", FIRST, "1 Jan 0001, 00:00:00 UTC</time></dd>"),
        ("UTC", LAST, "31 Dec 9999, 23:59:59 UTC</time></dd>"),
        ("America/Los_Angeles", FIRST, '1 Jan 0001, 00:00:00 UTC</time> <span class="quiet">told in UTC: no clock of'),
        ("America/Los_Angeles", LAST, "31 Dec 9999, 15:59:59 PST</time></dd>"),
        ("Asia/Tokyo", FIRST, "1 Jan 0001, 09:18:59 LMT</time></dd>"),
        ("Pacific/Kiritimati", FIRST, '1 Jan 0001, 00:00:00 UTC</time> <span class="quiet">told in UTC: no clock of'),
        ("Pacific/Kiritimati", LAST, '31 Dec 9999, 23:59:59 UTC</time> <span class="quiet">told in UTC: no clock of'),
    ],
)
def test_a_record_is_told_in_utc_where_no_clock_of_the_zone_has_shown_it(client, zone, instant, told):
    kept = at(instant, reader(client, zone))

    assert told in page_of(client, kept)


@ZONES
@ENDS
def test_a_record_that_was_recorded_then_is_shown_too(client, zone, instant, told):
    kept = at(instant, reader(client, zone))
    recorded_at(kept, instant)

    assert shown(client) == [kept.pk]
    assert "When it was recorded" in page_of(client, kept)


@ZONES
@ENDS
def test_rest_and_the_history_show_it(zone, instant, told):
    ada = person("ada", time_zone=zone)
    kept = at(instant, ada)
    client = APIClient()
    client.force_login(ada)

    [listed] = client.get("/api/v1/audit/?sort=occurred").json()["results"]
    one = client.get(f"/api/v1/audit/{kept.pk}/").json()
    [entry] = client.get(f"/api/v1/tasks/{kept.subject_id}/history/").json()["results"]

    assert (listed["occurred_at"], one["occurred_at"], entry["at"]) == (told, told, told)
    assert entry["sentence"]
