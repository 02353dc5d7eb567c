"""`make kafka` at a terminal: what it prints, how it ends, and what it says where it cannot run."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from apps.dev import broker, ports
from apps.dev.children import PROJECT
from apps.dev.embedded import kafka_jars


def started(port, **variables):
    return subprocess.Popen(
        [sys.executable, "-m", "apps.dev", "kafka", "--port", str(port)],
        cwd=PROJECT,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def port():
    port = ports.free_port()
    yield port
    subprocess.run(["rm", "-rf", str(broker.folder_of(port))], check=True)


@pytest.mark.kafka
@pytest.mark.timeout(180)
@pytest.mark.skipif(not kafka_jars.available(), reason=kafka_jars.lacking() or "")
def test_it_prints_its_address_ends_well_by_ctrl_c_and_keeps_its_data(port):
    first = started(port)
    printed = first.stdout.readline()
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=60)
    cluster = (broker.folder_of(port) / "apache-kafka" / "data" / "meta.properties").read_text()
    second = started(port)
    printed_again = second.stdout.readline()
    second.terminate()
    second.communicate(timeout=60)

    assert printed == printed_again == f"KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{port}\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert f"KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{port} make run" in said
    assert said.endswith("Stopped. The data stays; `make kafka` goes on from here.\n")
    assert (broker.folder_of(port) / "apache-kafka" / "data" / "meta.properties").read_text() == cluster
    assert ports.is_free(port)


@pytest.mark.skipif(not kafka_jars.available(), reason=kafka_jars.lacking() or "")
def test_a_taken_port_is_said_with_the_way_out_and_nothing_is_started(port):
    with socket.create_server(("127.0.0.1", port)):
        process = started(port)
        out, said = process.communicate(timeout=60)

    assert (process.returncode, out) == (1, "")
    assert said == f"error: Port {port} is taken by another program. Move: make kafka PORT={port + 100}\n"
    assert not (broker.folder_of(port) / "apache-kafka").exists()


def test_without_java_it_says_so_in_one_line(port, tmp_path):
    process = started(port, JAVA_HOME=str(tmp_path))
    out, said = process.communicate(timeout=60)

    assert (process.returncode, out, said.count("\n")) == (1, "", 1)
    assert "needs Java 17 or later" in said
    assert not broker.folder_of(port).exists()
