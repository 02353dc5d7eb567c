"""What every request that changes something may ask for: `If-Match`, `Idempotency-Key` and `dry_run`."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Protocol

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.events import event_types, outbox
from apps.events.envelope import Envelope
from apps.events.models import Event
from apps.tasks import idempotency, selectors
from apps.tasks.exceptions import StaleVersion
from apps.tasks.models import Task
from apps.tasks.views.refusals import refusals_as_problems

Handler = Callable[..., Response]


class Versioned(Protocol):
    """What counts its changes."""

    @property
    def version(self) -> int: ...


# RFC 9110: one or more, with commas between them.
_ONE = r'(W/)?"[\x21\x23-\x7e]*"'
_ETAGS = re.compile(rf"{_ONE}(\s*,\s*{_ONE})*")

DRY_RUN = OpenApiParameter(
    "dry_run", bool, description="true: change nothing, answer the events that would be.", default=False
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    location=OpenApiParameter.HEADER,
    description="Sent again within 24 hours with the same request, it gets the same answer and changes nothing more.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    location=OpenApiParameter.HEADER,
    description='The ETag you have seen, such as `"3"`: if the thing has changed since, the write is refused with 412.',
)


def safe_write(handler: Handler) -> Handler:
    """Gives a view's handler all three, and turns what the services refuse into problems."""

    @wraps(handler)
    def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        with refusals_as_problems(view.shown, problems=view.problems):
            if _dry_run(request):
                return _tried(lambda: handler(view, request, *args, **kwargs))
            key = request.headers.get("Idempotency-Key")
            if key is not None and request.method == "POST":
                return _once(key, request, lambda: handler(view, request, *args, **kwargs))
            return handler(view, request, *args, **kwargs)

    return answer


def etag(thing: Versioned) -> str:
    """Another whenever its representation is: a task shows the names of its tags, which have versions of their own."""
    tags = sum(tag.version for tag in selectors.tags_on(thing)) if isinstance(thing, Task) else 0
    return f'"{thing.version}.{tags}"' if tags else f'"{thing.version}"'


def seen_version(request: Request, thing: Versioned) -> int | None:
    """The version that the caller has seen and that is still the current one; `None` when the caller named none.

    Named by `If-Match`, or by the `version` of a body that was read before. Raises `StaleVersion` and
    `ValidationError`.
    """
    body = request.data if request.method in {"PUT", "PATCH"} else None
    in_body = body.get("version") if isinstance(body, Mapping) else None
    if isinstance(in_body, int) and in_body != thing.version:
        raise StaleVersion(thing)
    asked = request.headers.get("If-Match", "*").strip()
    if asked == "*":
        return None
    if not _ETAGS.fullmatch(asked):
        raise ValidationError({"If-Match": ['Give the ETag of the thing with its quotes, such as "3", or *.']})
    # Servers on the way weaken an ETag when they compress an answer; ours are versions, as good either way.
    if etag(thing) not in re.findall(r'"[^"]*"', asked):
        raise StaleVersion(thing)
    return thing.version


def _dry_run(request: Request) -> bool:
    asked = request.query_params.get("dry_run", "false").lower()
    if asked not in {"true", "false", "1", "0"}:
        raise ValidationError({"dry_run": ["Give true or false."]})
    return asked in {"true", "1"}


def _tried(change: Callable[[], Response]) -> Response:
    with transaction.atomic(), outbox.recording() as envelopes:
        change()
        # A bulk takes back what it refused of one task, and goes on.
        kept = set(Event.objects.filter(event_id__in=[one.id for one in envelopes]).values_list("event_id", flat=True))
        transaction.set_rollback(True)
    told = [_shown(one) for one in envelopes if one.id in kept and not _is_snapshot(one)]
    return Response({"dry_run": True, "events": told})


def _is_snapshot(envelope: Envelope) -> bool:
    event_type = event_types.find(envelope.type)
    return event_type is not None and event_type.snapshot


def _shown(envelope: Envelope) -> dict[str, Any]:
    return {
        "type": envelope.type,
        "subject_type": envelope.subject_type,
        "subject_id": str(envelope.subject_id),
        "version": envelope.version,
        "data": envelope.data,
    }


def _once(key: str, request: Request, change: Callable[[], Response]) -> Response:
    owner_id = request.user.pk
    assert owner_id is not None, "a permission lets nobody in who has not signed in"
    fingerprint = idempotency.fingerprint(
        method=str(request.method), address=request.get_full_path(), body=request.data
    )
    with transaction.atomic():
        kept = idempotency.claim(owner_id=owner_id, key=key, fingerprint=fingerprint, now=datetime.now(UTC))
        if kept is not None:
            return Response(kept.data, status=kept.status, headers={**kept.headers, "Idempotent-Replayed": "true"})
        response = change()
        told = {name: response.headers[name] for name in ("ETag", "Location") if name in response.headers}
        idempotency.keep(
            owner_id=owner_id,
            key=key,
            fingerprint=fingerprint,
            status=response.status_code,
            headers=told,
            data=response.data,
        )
    return response
