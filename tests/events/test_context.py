"""What caused the work at hand travels with it, and what comes from outside is checked first."""

from uuid import UUID

import pytest
import structlog

from apps.events import context
from apps.events.context import Cause

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_inside_a_cause_everything_is_caused_by_it_and_afterwards_no_more():
    outer, inner = Cause("outer", GOOD), Cause("inner", GOOD, causation_id=UUID(int=7))

    with context.caused_by(outer):
        with context.caused_by(inner):
            seen = context.current()
            logged = structlog.contextvars.get_contextvars()
        after = context.current()

    assert (seen, after) == (inner, outer)
    assert logged == {"correlation_id": "inner", "causation_id": str(UUID(int=7))}
    assert structlog.contextvars.get_contextvars() == {}


def test_a_cause_ends_with_its_block_also_when_that_fails():
    with pytest.raises(ZeroDivisionError), context.caused_by(Cause("outer", GOOD)):
        raise ZeroDivisionError

    assert context.current().correlation_id != "outer"


def test_work_that_nothing_announced_has_a_fresh_cause_each_time():
    first, second = context.current(), context.current()

    assert first.correlation_id != second.correlation_id
    assert first.causation_id is None
    assert context.accepted_traceparent(first.traceparent) == first.traceparent


@pytest.mark.parametrize("offered", ["order-66", "a" * 128, "A.b:c_d-1"])
def test_a_plain_correlation_id_is_taken(offered):
    assert context.accepted_correlation_id(offered) == offered


@pytest.mark.parametrize("offered", [None, "", "a" * 129, "a b", "a\n", "ä", '{"a":1}', "a\0"])
def test_any_other_correlation_id_is_replaced(offered):
    assert len(context.accepted_correlation_id(offered)) == 36


@pytest.mark.parametrize(
    "offered",
    [
        None,
        "",
        GOOD + "\n",
        GOOD.upper(),
        GOOD.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + GOOD[35:],
        GOOD[:36] + "0" * 16 + "-01",
    ],
)
def test_a_malformed_traceparent_is_replaced(offered):
    accepted = context.accepted_traceparent(offered)

    assert accepted != offered
    assert context.accepted_traceparent(accepted) == accepted


def test_a_good_traceparent_is_taken():
    assert context.accepted_traceparent(GOOD) == GOOD
