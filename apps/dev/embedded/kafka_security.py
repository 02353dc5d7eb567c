"""How a broker of the laptop is closed to strangers: TLS by a certificate authority of its own, passwords by SCRAM.

Invariant: keys and passwords stand in files that their owner alone may read, never among a process's arguments.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apps.dev.ports import LOOPBACK
from apps.dev.state import write_private

_YEAR = timedelta(days=365)
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Secured:
    """A broker that is spoken to by SASL_SSL; `username` is both its clients' and its own."""

    username: str
    password: str
    mechanism: str = "SCRAM-SHA-256"

    @property
    def user_at_format(self) -> str:
        """The argument that makes the user before the broker's first start."""
        return f"--add-scram={self.mechanism}=[name={self.username},password={self.password}]"

    def broker_settings(self, folder: Path) -> dict[str, str]:
        """The listener's; certificates are made in `folder` where they are not there."""
        _make_certificates(folder)
        login = f'username="{self.username}" password="{self.password}"'
        return {
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": self.mechanism,
            "sasl.mechanism.inter.broker.protocol": self.mechanism,
            f"listener.name.clients.{self.mechanism.lower()}.sasl.jaas.config": (
                f"org.apache.kafka.common.security.scram.ScramLoginModule required {login};"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(folder / "server.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority(folder)),
        }

    def client_settings(self, folder: Path) -> dict[str, str]:
        """librdkafka's."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password,
            "ssl.ca.location": str(authority(folder)),
        }

    def variables(self, folder: Path) -> Mapping[str, str]:
        """The platform's."""
        return {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": self.mechanism,
            "KAFKA_SASL_USERNAME": self.username,
            "KAFKA_SASL_PASSWORD": self.password,
            "KAFKA_SSL_CA_LOCATION": str(authority(folder)),
        }


def authority(folder: Path) -> Path:
    """The file with the certificate of the authority."""
    return folder / "ca.pem"


def _make_certificates(folder: Path) -> None:
    server = folder / "server.pem"
    if server.exists():
        return
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "todo laptop")])
    ca = (
        _certificate(ca_name, issuer=ca_name, key=ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")])
    server_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kafka")])
    certificate = (
        _certificate(server_name, issuer=ca_name, key=server_key)
        .add_extension(here, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = server_key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(authority(folder), ca.public_bytes(_PEM).decode())
    write_private(server, key.decode() + certificate.public_bytes(_PEM).decode())


def _certificate(name: x509.Name, *, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + 10 * _YEAR)
    )
