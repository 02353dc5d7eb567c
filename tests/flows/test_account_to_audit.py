"""From a person's move to the audit trail: once, also when all of it is delivered again."""

import pytest

from apps.accounts import services
from apps.audit.models import AuditRecord
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db


def test_a_new_time_zone_is_one_record_of_the_trail(pump):
    ada = person("ada")

    services.change_time_zone(user_id=ada.pk, actor=ada, time_zone="Europe/London", now=NOW)
    pump.run()
    pump.redeliver_everything()

    record = AuditRecord.objects.get()
    assert (record.type, record.subject_type, record.subject_id) == ("account.time_zone_changed.v1", "account", ada.pk)
    assert (record.owner_id, record.actor_id, record.record_topic) == (ada.pk, ada.pk, "account-events")
    assert record.data == {"time_zone": {"before": "UTC", "after": "Europe/London"}}
