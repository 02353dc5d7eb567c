"""Reads how Kafka is reached. Source of the names on the left: librdkafka's CONFIGURATION.md."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from todo_project import env

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_GROUP_PROTOCOLS = ("classic", "consumer")


def connection_settings() -> dict[str, str]:
    """What every client of Kafka begins with. Raises `ImproperlyConfigured`."""
    protocol = _one_of(_PROTOCOLS, "KAFKA_SECURITY_PROTOCOL", env.text("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"))
    found = {
        "bootstrap.servers": env.text("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        "security.protocol": protocol,
    }
    if protocol.startswith("SASL"):
        found |= {
            "sasl.mechanism": env.text("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256"),
            "sasl.username": env.text("KAFKA_SASL_USERNAME"),
            "sasl.password": env.text("KAFKA_SASL_PASSWORD"),
        }
    if authority := env.text("KAFKA_SSL_CA_LOCATION", ""):
        if not Path(authority).is_file():
            raise ImproperlyConfigured(f"KAFKA_SSL_CA_LOCATION names {authority!r}, which is not a file.")
        found["ssl.ca.location"] = authority
    return found


def group_protocol() -> str:
    """`classic` works with every broker; `consumer` (KIP-848) needs brokers of 4.0 and later."""
    return _one_of(_GROUP_PROTOCOLS, "KAFKA_GROUP_PROTOCOL", env.text("KAFKA_GROUP_PROTOCOL", "classic"))


def _one_of(choices: tuple[str, ...], name: str, value: str) -> str:
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}.")
    return value
