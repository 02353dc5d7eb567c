"""The audit trail's own instruments: its checkpoints outside the database, its verification."""

from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.audit import checkpoints, selectors, signing
from apps.audit.checkpoint_store import CheckpointsAway
from apps.ops.doctor.examination import Verdict, warning, worst_of, wrong
from apps.ops.pipeline import VERIFICATION_LATE_SECONDS

_KEY = "Set AUDIT_SIGNING_KEY (`openssl rand -base64 32`), and keep it outside the database."
_STORE = "Mend the store that AUDIT_CHECKPOINTS_URL names, or correct AUDIT_CHECKPOINTS_* and AUDIT_VERIFYING_KEYS."


def checkpoints_kept() -> Verdict:
    """The key signs, the store answers, and the newest checkpoint agrees with the trail. Nothing is written."""
    try:
        key = signing.Signer().key_id
        newest = checkpoints.newest()
    except ImproperlyConfigured as reason:
        fix = _STORE if settings.AUDIT_SIGNING_KEY else _KEY
        return wrong(str(reason), fix=fix)
    except CheckpointsAway as reason:
        return wrong(str(reason), fix=_STORE)
    except checkpoints.CheckpointRefused as reason:
        return wrong(str(reason), fix="Somebody changed it, or its key is not among AUDIT_VERIFYING_KEYS: find out.")
    if newest is None:
        return warning("there is none yet", fix="One is written within a minute of the first record while beat runs.")
    return worst_of(
        _cut_since(newest), otherwise=f"number {newest.number} of {newest.taken_at:%Y-%m-%d %H:%M} UTC, our key {key}"
    )


def _cut_since(newest: checkpoints.Checkpoint) -> Iterator[Verdict]:
    heads = selectors.heads(sorted(newest.heads))
    for number, signed in newest.heads.items():
        now = heads[number].sequence if number in heads else 0
        if now < signed.sequence:
            yield wrong(
                f"chain {number} ends at {now}, signed up to {signed.sequence}",
                fix="The trail was cut or rewritten: `manage.py verify_audit` names the first bad record.",
            )


def verification() -> Verdict:
    found = selectors.verification_status()
    if found.sound is False:
        return wrong(
            f"the trail was found unsound: {found.findings} findings",
            fix="`manage.py verify_audit` names the first bad record and what is wrong with it.",
        )
    if found.age_seconds is None:
        return warning("it never ran", fix="Run `manage.py verify_audit`; beat does it from then on.")
    late = found.age_seconds > VERIFICATION_LATE_SECONDS
    told = f"sound, verified {found.age_seconds / 60:.0f} minutes ago"
    return worst_of(
        [warning(told, fix="See that beat and worker-audit run.")] if late else [],
        otherwise=told,
    )
