"""A record with its proof: whoever has the answer can compute the hash again, by the recipe of docs/audit.md."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from rest_framework.test import APIClient

from apps.audit.models import AuditContent, AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.brokers.base import Record
from tests.audit.admin_trail import erase
from tests.audit.tampering import sql
from tests.audit.test_admin import NO_CONTENT
from tests.support.append_only import guards_off
from tests.support.factories import as_read, event, person

pytestmark = pytest.mark.django_db

AUDIT = "/api/v1/audit/"
DOCUMENT = Path(__file__).parents[2] / "docs" / "audit.md"
(RECIPE,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)


@pytest.fixture
def ada():
    return person("ada")


def api(user):
    client = APIClient()
    client.force_login(user)
    return client


def record(**fields):
    one = as_read(event(**fields), partition=3, offset=17)
    handling.handle(group, [one])
    return AuditRecord.objects.get(event_id=one.id)


def shown(user, kept):
    response = api(user).get(f"{AUDIT}{kept.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def computed_again(answer):
    """What the recipe says of an answer, run as anybody would run it."""
    return subprocess.run(
        [sys.executable, "-I", "-c", RECIPE], input=answer, capture_output=True, text=True, check=False, timeout=30
    )


def test_a_record_comes_with_all_that_its_hash_is_made_of(ada):
    first = record(owner_id=ada.pk, subject_id=(subject := uuid4()))
    second = record(owner_id=ada.pk, subject_id=subject, version=2)

    told = json.loads(shown(ada, second))

    assert (told["chain"], told["sequence"]) == (first.chain, first.sequence + 1)
    assert told["proof"]["format"] == 1
    assert told["proof"]["previous_hash"] == bytes(first.hash).hex()
    assert told["proof"]["hash"] == bytes(second.hash).hex()
    assert told["proof"]["commitment"] == bytes(second.commitment).hex()
    assert told["proof"]["salt"] == bytes(second.content.salt).hex()
    assert json.loads(told["proof"]["content"])["data"] == told["data"]


def test_a_list_has_no_proofs(ada):
    record(owner_id=ada.pk)

    (told,) = api(ada).get(AUDIT).json()["results"]

    assert "proof" not in told
    assert (told["chain"], told["sequence"]) == (AuditRecord.objects.get().chain, 1)


def test_anybody_can_compute_it_again(ada):
    kept = record(owner_id=ada.pk, data=task_of_many_scripts())

    run = computed_again(shown(ada, kept))

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"record {kept.pk} is sound; in chain {kept.chain} it follows {'0' * 64}\n"


def task_of_many_scripts():
    fields = {"title": "Küche 🧹 “neu” \\ \u2028", "description": "\t\n", "status": "pending", "priority": "none"}
    return {"task": fields | {"due_at": None}}


CHANGES = {
    "canonical": lambda told: told["proof"].update(canonical=told["proof"]["canonical"].replace("task", "tusk", 1)),
    "hash": lambda told: told["proof"].update(hash="0" * 64),
    "previous_hash": lambda told: told["proof"].update(previous_hash="1" * 64),
    "commitment": lambda told: told["proof"].update(commitment="1" * 64),
    "salt": lambda told: told["proof"].update(salt="1" * 64),
    "content": lambda told: told["proof"].update(content=told["proof"]["content"].replace("milk", "silk", 1)),
    "data": lambda told: told["data"]["task"].update(title="Buy silk"),
    "correlation_id": lambda told: told.update(correlation_id="another"),
    "type": lambda told: told.update(type="task.deleted.v1"),
    "actor_id": lambda told: told.update(actor_id=str(uuid4())),
    "owner_id": lambda told: told.update(owner_id=None),
    "occurred_at": lambda told: told.update(occurred_at="2026-11-20T09:00:00.000001Z"),
    "recorded_at": lambda told: told.update(recorded_at="2026-11-20T09:00:00Z"),
    "record_offset": lambda told: told.update(record_offset=18),
    "sequence": lambda told: told.update(sequence=2),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_changed_part_makes_the_recipe_go_red(ada, part):
    told = json.loads(shown(ada, record(owner_id=ada.pk)))
    before = json.dumps(told)

    CHANGES[part](told)
    run = computed_again(json.dumps(told))

    assert json.dumps(told) != before
    assert run.returncode == 1
    assert "AssertionError" in run.stderr


@pytest.mark.parametrize(
    ("table", "change"),
    [("audit_auditrecord", "subject_version = 7"), ("audit_auditcontent", "text = replace(text, 'milk', 'silk')")],
)
def test_what_was_changed_in_the_database_makes_the_recipe_go_red(ada, table, change):
    kept = record(owner_id=ada.pk)
    with guards_off(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {change}")

    assert computed_again(shown(ada, kept)).returncode == 1


def test_erased_content_is_shown_as_erased_and_the_rest_still_proves_itself(ada):
    kept = record(owner_id=ada.pk)
    before = json.loads(shown(ada, kept))
    erase(kept)

    answer = shown(ada, kept)

    told = json.loads(answer)
    assert (told["erased"], told["data"], told["correlation_id"]) == (True, None, None)
    assert told["kept"] == "erased"
    assert told["sentence"] == "Somebody created it (what it held has been erased)"
    assert told["proof"] == before["proof"] | {"salt": None, "content": None}
    assert computed_again(answer).returncode == 0
    assert "milk" not in answer


def test_an_unreadable_record_carries_its_bytes():
    record = Record("task-events", 0, 5, b"k\xff", b"\x00?", [("a", b"\xfe")])
    handling.record_unreadable(group, [(record, "garbage")])
    kept = AuditRecord.objects.get()

    answer = shown(person(is_staff=True), kept)

    told = json.loads(answer)
    assert (told["readable"], told["type"], told["occurred_at"]) == (False, "unreadable", None)
    assert told["data"] == {
        "because": "garbage",
        "headers": [["a", "\\xfe"]],
        "key": base64.b64encode(b"k\xff").decode(),
        "value": base64.b64encode(b"\x00?").decode(),
    }
    assert told["sentence"] == "A record came that nobody could read: garbage"
    assert computed_again(answer).returncode == 0


def test_another_persons_proof_is_not_there(ada):
    assert api(ada).get(f"{AUDIT}{record().pk}/").status_code == 404


@pytest.mark.parametrize("text", NO_CONTENT, ids=lambda text: text[:60])
def test_content_that_cannot_be_read_is_told_as_such_and_not_as_erased(ada, text):
    kept = record(owner_id=ada.pk, actor_id=ada.pk)
    sql("UPDATE audit_auditcontent SET text = %s WHERE event_id = %s", [text, kept.event_id])

    answer = shown(ada, kept)
    told, (listed,) = json.loads(answer), api(ada).get(AUDIT).json()["results"]
    (entry,) = api(ada).get(f"/api/v1/tasks/{kept.subject_id}/history/").json()["results"]

    assert (told["kept"], told["erased"], told["data"], told["correlation_id"]) == ("broken", False, None, None)
    assert (listed["kept"], listed["erased"]) == ("broken", False)
    assert listed["sentence"] == entry["sentence"] == "ada created it (what it held cannot be read)"
    assert told["proof"]["content"] == text
    assert computed_again(answer).returncode != 0


def test_content_that_went_without_an_erasure_is_told_as_gone(ada):
    kept = record(owner_id=ada.pk)
    with guards_off():
        AuditContent.objects.filter(record__event_id=kept.event_id).delete()

    told = json.loads(shown(ada, kept))

    assert (told["kept"], told["erased"], told["proof"]["content"]) == ("gone", False, None)
    assert told["sentence"].endswith("(what it held is gone, though nobody was erased)")
