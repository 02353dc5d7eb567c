"""The audit trail's own instruments: its checkpoints outside the database, its verification.

Invariant: what is late is decided in `apps.ops.pipeline`; whether the trail is what was signed, by the verification's
own comparison. Nothing is written.
"""

from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.audit import checkpoints, signing
from apps.audit.checkpoint_store import CheckpointsAway
from apps.audit.verification.against_checkpoints import disagreements
from apps.ops import pipeline
from apps.ops.doctor.examination import Verdict, warning, worst_of, wrong
from apps.ops.pipeline import Condition, Status

_KEY = "Set AUDIT_SIGNING_KEY (`openssl rand -base64 32`), and keep it outside the database."
_STORE = "Mend the store that AUDIT_CHECKPOINTS_URL names, or correct AUDIT_CHECKPOINTS_* and AUDIT_VERIFYING_KEYS."
_WRITER = "Look at the log of worker-audit and beat; then `manage.py checkpoint_audit` where the key is."
_RUNBOOK = "Change nothing and read docs/operations.md, “The audit trail is not sound”; `manage.py verify_audit` names"


def checkpoints_kept() -> Verdict:
    """The writer does its work; and where the store is named, it answers and the trail is what was signed last.

    In a cluster the audit worker alone has the store: elsewhere its own note tells.
    """
    noted = pipeline.conditions_of(pipeline.state())["audit_checkpoint"]
    number = noted.details.get("number", 0)
    problems = list(_of_the_writer(noted))
    if not settings.AUDIT_CHECKPOINTS_URL:
        return worst_of(problems, otherwise=f"number {number} by its writer's note; the store is not named here")
    try:
        key = signing.Signer().key_id if settings.AUDIT_SIGNING_KEY or settings.EMBEDDED_STACK else "elsewhere"
        newest = checkpoints.newest()
    except ImproperlyConfigured as reason:
        return wrong(str(reason), fix=_STORE if settings.AUDIT_SIGNING_KEY else _KEY)
    except CheckpointsAway as reason:
        return wrong(str(reason), fix=_STORE)
    except checkpoints.CheckpointRefused as reason:
        return wrong(str(reason), fix="Somebody changed it, or its key is not among AUDIT_VERIFYING_KEYS: find out.")
    if newest is None:
        fix = "One is written within a minute of the first record while beat runs."
        return worst_of([*problems, warning("there is none yet", fix=fix)], otherwise="")
    told = f"number {newest.number} of {newest.taken_at:%Y-%m-%d %H:%M} UTC, our key {key}"
    return worst_of([*_other_than_signed(newest), *problems], otherwise=told)


def _of_the_writer(noted: Condition) -> Iterator[Verdict]:
    if noted.status is Status.OK:
        return
    unsigned = noted.details.get("unsigned_for_seconds")
    reason = noted.details.get("reason") or (
        f"its writer's last round was {noted.details['tried_seconds_ago']:.0f} s ago, "
        f"records wait for a signature for {unsigned:.0f} s"
    )
    yield warning(reason, fix=_WRITER)


def _other_than_signed(newest: checkpoints.Checkpoint) -> Iterator[Verdict]:
    for number, signed in disagreements(newest).items():
        yield wrong(
            f"chain {number} no longer holds record {signed.sequence} as checkpoint {newest.number} signed it",
            fix=f"{_RUNBOOK} the first bad record.",
        )


def verification() -> Verdict:
    state = pipeline.state()
    found, condition = state.verification, pipeline.conditions_of(state)["audit_trail"]
    if found.sound is False:
        return wrong(
            f"the trail was found unsound: {found.findings} findings",
            fix=f"{_RUNBOOK} what is wrong, record by record.",
        )
    if found.age_seconds is None:
        return warning("it never ran", fix="Run `manage.py verify_audit`; beat does it from then on.")
    whole = found.whole_age_seconds
    told = f"sound, verified {found.age_seconds / 60:.0f} minutes ago, every record "
    told += "never" if whole is None else f"{whole / 3600:.0f} hours ago"
    late = [] if condition.status is Status.OK else [warning(told, fix="See that beat and worker-audit run.")]
    return worst_of(late, otherwise=told)
