"""The database refuses to change, remove or empty the audit trail."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER audit_record_refuse_change BEFORE UPDATE OR DELETE ON audit_auditrecord
    FOR EACH ROW EXECUTE FUNCTION events_refuse_change();
CREATE TRIGGER audit_record_refuse_truncate BEFORE TRUNCATE ON audit_auditrecord
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
"""
BACKWARD = """
DROP TRIGGER audit_record_refuse_truncate ON audit_auditrecord;
DROP TRIGGER audit_record_refuse_change ON audit_auditrecord;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("events", "0002_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
