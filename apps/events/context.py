"""What caused the work at hand: the correlation, the causing event and the trace it belongs to.

Held in context variables, so that an event appended deep inside a service knows its cause without every
function on the way passing it on. The web's middleware and the handling of an event are the two that set it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from structlog.contextvars import bound_contextvars
from uuid_utils.compat import uuid7

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}\Z")
# W3C Trace Context, version 00: https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happens. `causation_id` is the event that led here, `None` when a person did."""

    correlation_id: str
    traceparent: str
    causation_id: UUID | None = None


_cause: ContextVar[Cause | None] = ContextVar("cause", default=None)


def new_correlation_id() -> str:
    return str(uuid7())


def new_traceparent() -> str:
    """A fresh trace, sampled."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def accepted_correlation_id(offered: str | None) -> str:
    """The caller's correlation id if it is short and plain, else a new one: it goes into logs and headers."""
    return offered if offered and _CORRELATION_ID.match(offered) else new_correlation_id()


def accepted_traceparent(offered: str | None) -> str:
    """The caller's `traceparent` if it is well formed, else a new trace."""
    return offered if offered and _TRACEPARENT.match(offered) else new_traceparent()


def current() -> Cause:
    """The cause at hand, or a fresh one for work that nothing announced (a command, a test)."""
    return _cause.get() or Cause(new_correlation_id(), new_traceparent())


@contextmanager
def caused_by(cause: Cause) -> Iterator[Cause]:
    """Run a block as caused by `cause`; its ids stand in every log line of the block."""
    token = _cause.set(cause)
    ids = {"correlation_id": cause.correlation_id}
    if cause.causation_id:
        ids["causation_id"] = str(cause.causation_id)
    try:
        with bound_contextvars(**ids):
            yield cause
    finally:
        _cause.reset(token)
