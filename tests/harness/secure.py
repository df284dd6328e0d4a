"""A real broker that asks who you are: SCRAM with and without TLS, and client certificates."""

import datetime
import ipaddress
from pathlib import Path
from typing import ClassVar, NamedTuple

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from uns.local.kafka import Kafka
from uns.runtime.ports import HOST, free_port

DAY = datetime.timedelta(days=1)


class Certificates(NamedTuple):
    """PEM files."""

    ca: Path
    server: Path
    """The broker's key and chain in one file, as Kafka wants it."""
    client: Path
    client_key: Path
    ca_key: Path


class SecureKafka(Kafka):
    """`kafka`, open, for the tests' own set-up, and beside it `addresses` by security protocol."""

    protocols: ClassVar[tuple[str, ...]] = ("SASL_PLAINTEXT", "SASL_SSL", "SSL")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.certificates = certificates(folder)
        self.addresses = {protocol: f"{HOST}:{free_port()}" for protocol in self.protocols}

    def properties(self, port: int) -> dict[str, str]:
        settings = super().properties(port)
        for protocol, address in self.addresses.items():
            settings["listeners"] += f",{protocol}://{address}"
            settings["listener.security.protocol.map"] += f",{protocol}:{protocol}"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return settings | {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.server),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.ca),
            "listener.name.ssl.ssl.client.auth": "required",
        }

    def add_user(self, name: str, password: str) -> None:
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(name, scram, password.encode())
        admin = AdminClient({"bootstrap.servers": self.address})
        for result in admin.alter_user_scram_credentials([change]).values():
            result.result(20)


def certificates(folder: Path, ends: datetime.timedelta = DAY) -> Certificates:
    """An authority and what it signed for 127.0.0.1 and for a client `historian`; valid for a day, or until `ends` from now."""
    ca_key, ca_name = ec.generate_private_key(ec.SECP256R1()), _name("test authority")
    ca = _sign(ca_name, ca_name, ca_key, ca_key, authority=True)
    paths = Certificates(*(folder / f"{name}.pem" for name in Certificates._fields))
    paths.ca.write_bytes(ca)
    paths.ca_key.write_bytes(_pem(ca_key))
    for name, chain, key_path in (
        ("broker", paths.server, paths.server),
        ("historian", paths.client, paths.client_key),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        key_path.write_bytes(_pem(key))
        with chain.open("ab") as file:
            file.write(_sign(_name(name), ca_name, key, ca_key, authority=False, ends=ends) + ca)
    return paths


def revocations(known: Certificates, *revoked: Path) -> Path:
    """A list of its authority with these certificates."""
    now = datetime.datetime.now(datetime.UTC)
    ca = x509.load_pem_x509_certificate(known.ca.read_bytes())
    made = x509.CertificateRevocationListBuilder().issuer_name(ca.subject).last_update(now).next_update(now + DAY)
    for file in revoked:
        number = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
        one = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
        made = made.add_revoked_certificate(one)
    key = serialization.load_pem_private_key(known.ca_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    path = known.ca.with_name("revoked.pem")
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    authority: bool,
    ends: datetime.timedelta = DAY,
) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
