"""What a server needs before its trail can be proved: a key to sign with, and a place outside the database."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from apps.audit import signing


@register(Tags.security, deploy=True)
def checkpoints_can_be_signed(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """For `manage.py check --deploy`."""
    found: list[CheckMessage] = []
    try:
        signing.Signer()
        signing.Verifier()
    except ImproperlyConfigured as reason:
        found.append(
            Error(
                str(reason),
                hint="Keep AUDIT_SIGNING_KEY as a secret beside the others, never in the database that it vouches for.",
                id="audit.E001",
            )
        )
    if not settings.AUDIT_CHECKPOINTS_URL:
        found.append(
            Error(
                "AUDIT_CHECKPOINTS_URL is not set: the trail has no checkpoint outside the database.",
                hint="s3://bucket/prefix of an object store, best with versions kept; or file:///a/mounted/folder.",
                id="audit.E002",
            )
        )
    return found
