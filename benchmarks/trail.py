"""The audit trail in the admin and over REST when it is long: how long pages take that people look at.

The records are written by SQL and are no chain; what is measured is how they are found and shown. Most is Ada's, Grace
did little long ago, and words of titles are common, fairly common or rare.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.audit.models import AuditRecord
from benchmarks.processors import Watch

ROUNDS = 5
_CHUNK = 20_000  # as much as a statement writes within its limit
_ADMIN = "/admin/audit/auditrecord/"
_REST = "/api/v1/audit/"
_FILL = """
WITH filled AS (
    INSERT INTO audit_auditrecord (chain, sequence, hash, previous_hash, commitment, event_id, type, subject_type,
        subject_id, subject_version, owner_id, actor_id, source, causation_id, occurred_at, recorded_at, record_topic,
        record_partition, record_offset, readable)
    SELECT n %% 16, 1000001 + n / 16, sha256('h'), sha256('p'), sha256('c'),
        ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
        CASE WHEN n %% 10000 = 7 THEN 'unreadable' WHEN n %% 5000 = 11 THEN 'list.created.v1'
             WHEN n %% 10 = 0 THEN 'task.completed.v1' WHEN n %% 5 = 1 THEN 'task.created.v1'
             ELSE 'task.updated.v1' END,
        CASE WHEN n %% 10000 = 7 THEN '' WHEN n %% 5000 = 11 THEN 'list' ELSE 'task' END,
        ('01910000-0000-7000-8000-' || lpad(to_hex(n / 5), 12, '0'))::uuid, n %% 5 + 1,
        CASE WHEN n BETWEEN 1000 AND 1200 THEN %(grace)s ELSE %(ada)s END::uuid,
        CASE WHEN n BETWEEN 1000 AND 1200 THEN %(grace)s ELSE %(ada)s END::uuid, '/todo',
        CASE WHEN n %% 10 = 5 THEN ('01900000-0000-7000-8000-' || lpad(to_hex(n - 1), 12, '0'))::uuid END,
        now() - make_interval(secs => (%(count)s - n) * 15), now() - make_interval(secs => (%(count)s - n) * 15),
        'task-events', n %% 4, n, n %% 10000 <> 7
    FROM generate_series(%(first)s::int, %(last)s::int) n
    RETURNING event_id, owner_id, record_offset AS n)
INSERT INTO audit_auditcontent (event_id, owner_id, correlation_id, title, salt, text)
SELECT event_id, owner_id, CASE WHEN n %% 4 = 0 THEN 'the-import' ELSE 'request-' || n END,
    'Task ' || n || ' of ' || (ARRAY['spring', 'summer', 'autumn', 'winter'])[1 + n %% 4]
        || CASE WHEN n %% 50000 = 123 THEN ' pomegranate' WHEN n < 4000 THEN ' bygone' ELSE '' END,
    sha256('s'), json_build_object('correlation_id', 'request-' || n, 'data', json_build_object(
        'task', json_build_object('title', 'Task ' || n, 'description', 'Some text to be read. ', 'status', 'pending'),
        'changes', json_build_object('priority', json_build_object('before', 'none', 'after', 'high'))))::text
FROM filled
"""


@dataclass(frozen=True)
class Pages:
    """What was asked for, the milliseconds of each answer over several rounds, and the processors others had then."""

    what: str
    milliseconds: dict[str, list[float]]
    others: float

    def __str__(self) -> str:
        told = [f"{name} {statistics.median(took):.0f} ms" for name, took in self.milliseconds.items()]
        worst = max(max(took) for took in self.milliseconds.values())
        return f"{', '.join(told)}; slowest of all {worst:.0f} ms"


def measured(*, records: int, watch: Callable[[], Watch]) -> list[Pages]:
    """Fill the trail with so many records and read its pages, each in this process, with PostgreSQL beside it."""
    boss = User.objects.create_superuser(username="boss-of-the-trail", email="boss@example.org")
    ada = User.objects.create_user(username="ada-of-much", email="ada-of-much@example.org")
    grace = User.objects.create_user(username="grace-of-old", email="grace@example.org")
    _fill(records, ada=ada, grace=grace)
    browser = Client(HTTP_HOST="127.0.0.1")
    staff, owner = APIClient(HTTP_HOST="127.0.0.1"), APIClient(HTTP_HOST="127.0.0.1")
    browser.force_login(boss)
    staff.force_authenticate(boss)
    owner.force_authenticate(ada)
    one = AuditRecord.objects.get(record_offset=records // 2, record_topic="task-events", sequence__gt=1_000_000)
    middle, subject = one.pk, str(one.subject_id)
    return [
        _timed("the audit trail in the admin", browser, _admin_pages(middle, subject), watch()),
        _timed("the audit trail over REST, as staff", staff, _rest_pages(middle), watch()),
        _timed(
            "the audit trail over REST, as the owner of nearly all of it",
            owner,
            _rest_pages(middle) | {"history of a task": f"/api/v1/tasks/{subject}/history/"},
            watch(),
        ),
    ]


def _admin_pages(middle: int, subject: str) -> dict[str, str]:
    return {
        "list": _ADMIN,
        "in the middle": f"{_ADMIN}?before={middle}",
        "of a type": f"{_ADMIN}?type=list.created.v1",
        "of who did little long ago": f"{_ADMIN}?actor=grace-of-old",
        "of a thing": f"{_ADMIN}?subject={subject}",
        "of this month": f"{_ADMIN}?when=month",
        "a word of all titles": f"{_ADMIN}?q=task",
        "of a quarter": f"{_ADMIN}?q=winter",
        "of few": f"{_ADMIN}?q=pomegranate",
        "of old ones": f"{_ADMIN}?q=bygone",
        "of none": f"{_ADMIN}?q=nowhere",
        "a record": f"{_ADMIN}{middle}/change/",
    }


def _rest_pages(middle: int) -> dict[str, str]:
    return {
        "list": _REST,
        "by when": f"{_REST}?sort=occurred",
        "of a kind": f"{_REST}?type=list.",
        "a word of all titles": f"{_REST}?q=task",
        "a beginning of all": f"{_REST}?q=tas",
        "of a quarter": f"{_REST}?q=winter",
        "of few": f"{_REST}?q=pomegranate",
        "of old ones": f"{_REST}?q=bygone",
        "of none": f"{_REST}?q=nowhere",
        "a record": f"{_REST}{middle}/",
    }


def _timed(what: str, reader: Client, pages: dict[str, str], watch: Watch) -> Pages:
    took: dict[str, list[float]] = {name: [] for name in pages}
    for round_ in range(ROUNDS + 1):
        for name, path in pages.items():
            started = time.perf_counter()
            status = reader.get(path).status_code
            milliseconds = (time.perf_counter() - started) * 1000
            assert status == 200, (path, status)
            if round_:  # the first is for warming up
                took[name].append(milliseconds)
    return Pages(what, took, watch.spent().others)


def _fill(records: int, *, ada: User, grace: User) -> None:
    values: dict[str, Any] = {"ada": ada.pk, "grace": grace.pk, "count": records}
    with connections["owner"].cursor() as cursor:
        for first in range(1, records, _CHUNK):
            cursor.execute(_FILL, values | {"first": first, "last": min(first + _CHUNK - 1, records)})
        cursor.execute("VACUUM ANALYZE audit_auditrecord, audit_auditcontent")
