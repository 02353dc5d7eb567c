"""How Kafka is reached: every way it is asked for, and words for what cannot be."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from todo_project import kafka


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch):
    for name in ("BOOTSTRAP_SERVERS", "SECURITY_PROTOCOL", "SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD"):
        monkeypatch.delenv(f"KAFKA_{name}", raising=False)
    monkeypatch.delenv("KAFKA_SSL_CA_LOCATION", raising=False)


def test_a_laptop_needs_no_variable():
    assert kafka.connection_settings() == {"bootstrap.servers": "127.0.0.1:9092", "security.protocol": "PLAINTEXT"}


def test_a_managed_kafka_is_reached_with_user_password_and_authority(monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("a certificate")
    (tmp_path / "password").write_text("a password\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example.org:25061")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "todo")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("KAFKA_SSL_CA_LOCATION", str(tmp_path / "ca.pem"))

    assert kafka.connection_settings() == {
        "bootstrap.servers": "kafka.example.org:25061",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "todo",
        "sasl.password": "a password",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
    }


def test_a_password_is_asked_for_where_it_is_needed(monkeypatch):
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "todo")

    with pytest.raises(ImproperlyConfigured, match="KAFKA_SASL_PASSWORD is not set"):
        kafka.connection_settings()


def test_an_authority_that_is_no_file_is_named(monkeypatch):
    monkeypatch.setenv("KAFKA_SSL_CA_LOCATION", "/nowhere/ca.pem")

    with pytest.raises(
        ImproperlyConfigured, match=r"KAFKA_SSL_CA_LOCATION names '/nowhere/ca\.pem', which is not a file"
    ):
        kafka.connection_settings()


def test_protocols_that_there_are_not_are_named(monkeypatch):
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "TLS")
    monkeypatch.setenv("KAFKA_GROUP_PROTOCOL", "new")

    with pytest.raises(ImproperlyConfigured, match="must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, not 'TLS'"):
        kafka.connection_settings()
    with pytest.raises(ImproperlyConfigured, match="KAFKA_GROUP_PROTOCOL must be classic or consumer, not 'new'"):
        kafka.group_protocol()
