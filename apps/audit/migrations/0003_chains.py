"""Puts the trail into chains: what was recorded before is linked in the order in which it was recorded."""

import base64
import hashlib
import hmac
import json
import os
from datetime import UTC

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


STEP = 2000

# Format 1 as it was when this was written: what is written here stays provable whatever `apps.audit.chain` grows into.
def _json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _instant(at):
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else None


def _text(identity):
    return str(identity) if identity else None


def _chain_of(row):
    name = f"{row.subject_type}/{row.subject_id}" if row.subject_id else f"event/{row.event_id}"
    return hashlib.sha256(name.encode()).digest()[0] % 16


def _canonical(row, *, number, sequence, previous_hash, commitment):
    return _json(
        {
            "actor": _text(row.actor_id),
            "causation": _text(row.causation_id),
            "chain": number,
            "commitment": commitment.hex(),
            "event": str(row.event_id),
            "format": 1,
            "occurred_at": _instant(row.occurred_at),
            "offset": row.record_offset,
            "owner": _text(row.owner_id),
            "partition": row.record_partition,
            "previous": previous_hash.hex(),
            "readable": row.readable,
            "recorded_at": _instant(row.recorded_at),
            "sequence": sequence,
            "source": row.source,
            "subject": _text(row.subject_id),
            "subject_type": row.subject_type,
            "topic": row.record_topic,
            "type": row.type,
            "version": row.subject_version,
        }
    ).encode()


_KEPT = [
    *("event_id", "type", "subject_type", "subject_id", "subject_version", "owner_id", "actor_id", "source"),
    *("causation_id", "occurred_at", "recorded_at", "record_topic", "record_partition", "record_offset", "readable"),
]


def link_what_was_recorded(apps, schema_editor):
    """Old rows, oldest first, into the chains."""
    Old = apps.get_model("audit", "UnchainedRecord")
    Record = apps.get_model("audit", "AuditRecord")
    Content = apps.get_model("audit", "AuditContent")
    alias = schema_editor.connection.alias
    heads = {number: (0, bytes(32)) for number in range(16)}
    last = 0
    while rows := list(Old.objects.using(alias).filter(pk__gt=last).order_by("pk")[:STEP]):
        last = rows[-1].pk
        records, contents = [], []
        for row in rows:
            text = _json({"correlation_id": row.correlation_id, "data": _data(row)})
            salt = os.urandom(32)
            number = _chain_of(row)
            sequence, previous_hash = heads[number]
            place = {
                "number": number,
                "sequence": sequence + 1,
                "previous_hash": previous_hash,
                "commitment": hmac.digest(salt, text.encode(), "sha256"),
            }
            digest = hashlib.sha256(_canonical(row, **place)).digest()
            heads[number] = (sequence + 1, digest)
            place["chain"] = place.pop("number")
            records.append(Record(id=row.pk, hash=digest, **place, **{name: getattr(row, name) for name in _KEPT}))
            contents.append(
                Content(
                    record_id=row.event_id,
                    owner_id=row.owner_id,
                    correlation_id=row.correlation_id,
                    title=_title(row),
                    salt=salt,
                    text=text,
                )
            )
        Record.objects.using(alias).bulk_create(records)
        Content.objects.using(alias).bulk_create(contents)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('audit_auditrecord', 'id'), %s::bigint, %s::bool)",
            [max(last, 1), last > 0],
        )


def _data(row):
    if row.readable:
        return row.data
    return {
        "because": row.unreadable_because,
        "headers": row.data.get("headers", []),
        "key": _base64(row.raw_key),
        "value": _base64(row.raw_value),
    }


def _base64(raw):
    return base64.b64encode(bytes(raw)).decode() if raw is not None else None


def _title(row):
    thing = row.data.get(row.subject_type)
    title = (thing.get("title") or thing.get("name")) if isinstance(thing, dict) else None
    return title[:500] if isinstance(title, str) else ""


GUARDS = """
CREATE TRIGGER audit_record_refuse_change BEFORE UPDATE OR DELETE ON audit_auditrecord
    FOR EACH ROW EXECUTE FUNCTION events_refuse_change();
CREATE TRIGGER audit_record_refuse_truncate BEFORE TRUNCATE ON audit_auditrecord
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();

-- Content goes only after its person's erasure, which stands in the trail and in the log, and never its own record.
CREATE FUNCTION audit_refuse_unless_erased() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM audit_auditrecord r JOIN events_event e ON e.event_id = r.event_id AND e.type = r.type
        WHERE r.subject_id = OLD.owner_id AND r.type = 'account.erased.v1' AND r.event_id <> OLD.event_id
    ) THEN
        RAISE EXCEPTION 'DELETE refused: the content of % is kept until its person is erased', OLD.event_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER audit_content_refuse_delete BEFORE DELETE ON audit_auditcontent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_unless_erased();
CREATE TRIGGER audit_content_refuse_update BEFORE UPDATE ON audit_auditcontent
    FOR EACH ROW EXECUTE FUNCTION events_refuse_change();
CREATE TRIGGER audit_content_refuse_truncate BEFORE TRUNCATE ON audit_auditcontent
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();

-- The one way to let content go, for a role that may not delete. As its owner, so with a path nobody can bend.
CREATE FUNCTION audit_erase_contents(owner uuid) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM audit_auditcontent c WHERE c.owner_id = owner AND EXISTS (
        SELECT 1 FROM audit_auditrecord r
        JOIN events_event e ON e.event_id = r.event_id AND e.type = r.type
        WHERE r.subject_id = owner AND r.type = 'account.erased.v1' AND r.event_id <> c.event_id
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""
UNGUARD = """
DROP TRIGGER audit_record_refuse_truncate ON audit_auditrecord;
DROP TRIGGER audit_record_refuse_change ON audit_auditrecord;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only"), ("events", "0002_append_only")]

    operations = [
        migrations.RunSQL(UNGUARD),
        migrations.RenameModel("AuditRecord", "UnchainedRecord"),
        migrations.CreateModel(
            name="AuditRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chain", models.SmallIntegerField()),
                ("sequence", models.BigIntegerField(help_text="Its place in its chain, from 1, without gaps.")),
                ("previous_hash", models.BinaryField()),
                ("hash", models.BinaryField()),
                ("commitment", models.BinaryField(help_text="HMAC-SHA256 of the content under its salt.")),
                ("event_id", models.UUIDField(unique=True)),
                ("type", models.CharField(max_length=200)),
                ("subject_type", models.CharField(blank=True, max_length=200)),
                ("subject_id", models.UUIDField(null=True)),
                ("subject_version", models.PositiveIntegerField(null=True)),
                ("owner_id", models.UUIDField(null=True)),
                ("actor_id", models.UUIDField(null=True)),
                ("source", models.CharField(blank=True, max_length=200)),
                ("causation_id", models.UUIDField(null=True)),
                ("occurred_at", models.DateTimeField(null=True)),
                ("recorded_at", models.DateTimeField()),
                (
                    "record_topic",
                    models.CharField(
                        blank=True,
                        help_text="Where it stood in Kafka; empty when it was taken from the log.",
                        max_length=249,
                    ),
                ),
                ("record_partition", models.IntegerField(null=True)),
                ("record_offset", models.BigIntegerField(null=True)),
                ("readable", models.BooleanField(default=True)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=["chain", "sequence"], name="audit_record_once_in_chain")
                ],
                "indexes": [
                    models.Index(fields=["subject_id", "-id"], name="audit_record_of_subject"),
                    models.Index(fields=["owner_id", "-id"], name="audit_record_of_owner"),
                    models.Index(fields=["actor_id", "-id"], name="audit_record_by_actor"),
                    models.Index(fields=["type", "-id"], name="audit_record_of_type"),
                    models.Index(fields=["recorded_at"], name="audit_record_recorded_at"),
                    models.Index(
                        fields=["causation_id"],
                        condition=models.Q(causation_id__isnull=False),
                        name="audit_record_caused_by",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditContent",
            fields=[
                (
                    "record",
                    models.OneToOneField(
                        db_column="event_id",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="content",
                        serialize=False,
                        to="audit.auditrecord",
                        to_field="event_id",
                    ),
                ),
                ("owner_id", models.UUIDField(null=True)),
                ("correlation_id", models.CharField(blank=True, max_length=200)),
                ("title", models.CharField(blank=True, max_length=500)),
                ("salt", models.BinaryField()),
                ("text", models.TextField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["owner_id"], name="audit_content_of_owner"),
                    models.Index(fields=["correlation_id"], name="audit_content_correlation"),
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.search.SearchVector("title", config="simple"),
                        name="audit_content_title",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditVerification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("whole", models.BooleanField()),
                ("records", models.BigIntegerField(help_text="How many were looked at.")),
                ("sound", models.BooleanField()),
                ("findings", models.JSONField(default=list)),
                ("heads", models.JSONField(default=dict)),
                ("lap", models.JSONField(default=dict)),
            ],
            options={"ordering": ["-id"], "get_latest_by": "id"},
        ),
        migrations.RunPython(link_what_was_recorded),
        migrations.DeleteModel("UnchainedRecord"),
        migrations.RunSQL(GUARDS),
    ]
