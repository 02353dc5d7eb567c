"""F5: the connection that holds the relay's lock goes silent, and nobody is told."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from apps.events.models import OutboxEntry
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, database_url, led_to, wait_until
from tests.faults.proxy import Proxy, proxy_to


@pytest.fixture
def way() -> Iterator[Proxy]:
    """Between one relay's lock and PostgreSQL, and nothing else."""
    place = urlsplit(database_url())
    with proxy_to(f"{place.hostname}:{place.port}") as proxy:
        yield proxy


@pytest.mark.fault("F5", "the leader's lock is cut off without a word: black hole", bound=35)
def test_a_leader_whose_lock_is_cut_off_relays_nothing_more_and_the_standby_takes_over(
    pipeline: Pipeline, journal: Path, evidence: Evidence, way: Proxy
) -> None:
    active = pipeline.start("relay", name="active", DATABASE_DIRECT_URL=led_to(pipeline.database_url, way.address))
    journals.write(journal, prefix="a", count=2)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the active relay works", seconds=60)
    standby = pipeline.start("relay", name="standby")
    log = pipeline.logs / "standby.log"
    wait_until(lambda: log.exists() and "relay_standing_by" in log.read_text(), "the other stands by", seconds=60)

    way.go_silent()
    journals.write(journal, prefix="b", count=5)
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the standby has taken over", seconds=120))
    way.heal()
    journals.write(journal, prefix="c", count=5)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the new leader goes on", seconds=60)
    wait_until(lambda: "relay_lost_leadership" in (pipeline.logs / "active.log").read_text(), "told", seconds=60)

    assert (active.runs, standby.runs) == (True, True)
    checker.check_nothing_stands_twice_or_reordered(checker.all_records(pipeline.broker))
    pipeline.start("worker-audit")
    wait_until(checker.quiet, "every event has its audit record", seconds=60)
    evidence.judge(journal, pipeline.broker)
