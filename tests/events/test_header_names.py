"""A record whose header has a name that is no text. The client fails on it; nothing else may.

In a process of its own: a second look at such a header ends the process that takes it.
"""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from apps.dev.children import PROJECT
from apps.events.brokers.kafka import KafkaBroker
from tests.support import foreign_records
from tests.support.topics import fresh_group, fresh_topic

READ = """
import gc, json, sys
import django
django.setup()
from apps.events.brokers.kafka import KafkaBroker
from tests.support.topics import fresh_group, read
consumer = KafkaBroker(json.loads(sys.argv[1])).consumer(sys.argv[2], [sys.argv[3]])
records = read(consumer, 2, seconds=30)
consumer.close()
gc.collect()
print(json.dumps([[record.value.decode(), record.headers and record.headers[0][0]] for record in records]))
"""


@pytest.mark.parametrize(
    "kafka",
    [
        pytest.param("mock_cluster", id="mock"),
        pytest.param("real_kafka", id="real", marks=[pytest.mark.kafka, pytest.mark.timeout(180)]),
    ],
)
def test_it_is_read_without_its_headers_and_the_next_one_with_them(kafka, request):
    connection = request.getfixturevalue(kafka)
    connection = {"bootstrap.servers": connection} if isinstance(connection, str) else connection
    topic = fresh_topic()
    KafkaBroker(connection).ensure_topics([topic])
    for value, name in ((b"strange", b"\xff\xfe"), (b"plain", b"ce_type")):
        foreign_records.write(connection, topic, key=b"k", value=value, headers=[(name, b"x"), (b"more", b"y")])

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(READ), json.dumps(connection), fresh_group(), topic],
        cwd=PROJECT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "todo_project.settings.test", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stderr[-2000:] if done.returncode else "") == (0, "")
    assert json.loads(done.stdout.splitlines()[-1]) == [["strange", []], ["plain", "ce_type"]]
