"""What happens to lists, tags and purged tasks reaches the trail once and in order; snapshots travel beside it."""

from datetime import timedelta

import pytest

from apps.audit.models import AuditRecord
from apps.tasks import services
from apps.tasks.events import UPDATES_TOPIC
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_fact_is_recorded_once_in_order_and_no_snapshot(pump):
    owner = person("ada")
    home = services.create_list(owner=owner, actor=owner, name="Home", now=NOW)
    task = task_of(owner, list=home.pk, tags=["errand"])
    tag = services.update_tag(
        tag_id=task.tag_ids[0], actor=owner, changes={"name": "errands"}, now=NOW + timedelta(seconds=1)
    )
    services.delete_task(task_id=task.pk, actor=owner, now=NOW)
    services.delete_tag(tag_id=tag.pk, actor=owner, now=NOW)
    services.delete_list(list_id=home.pk, actor=owner, now=NOW)
    services.purge_deleted_tasks(now=NOW + timedelta(days=31))

    pump.run()
    pump.redeliver_everything()

    for subject in (home, task, tag):
        told = [(event.event_id, event.subject_version, event.type) for event in facts().filter(subject_id=subject.pk)]
        kept = AuditRecord.objects.filter(subject_id=subject.pk).order_by("id")
        assert list(kept.values_list("event_id", "subject_version", "type")) == told
    assert AuditRecord.objects.count() == facts().count()
    assert AuditRecord.objects.filter(type__contains="snapshot").count() == 0
    assert len(pump.records(UPDATES_TOPIC)) == facts().count()
    assert {record.key for record in pump.records(UPDATES_TOPIC)} == {str(owner.pk).encode()}
