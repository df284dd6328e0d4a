"""A self-signed certificate by which an OPC UA server knows us: OPC 10000-6, 6.2.2 says what must be in it."""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_BITS = 2048
"""What all of Basic256Sha256, Aes128Sha256RsaOaep and Aes256Sha256RsaPss take."""
BEGIN_EARLIER = timedelta(days=1)
"""A server whose clock is a little behind takes it, too."""


class Certificate(NamedTuple):
    der: bytes
    """For the server's trusted ones."""
    pem: bytes
    key_pem: bytes
    application_uri: str
    ends: datetime


def opcua_client(name: str, hosts: tuple[str, ...], days: int, now: datetime) -> Certificate:
    """A new key, and a certificate for it with the application URI `urn:HOST:uns-backbone:NAME`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    uri = f"urn:{hosts[0]}:uns-backbone:{name}"
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"uns-backbone {name}"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "uns-backbone"),
        ]
    )
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), *map(_host, hosts)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # a self-signed certificate has issued itself
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    ends = (now + timedelta(days=days)).astimezone(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEGIN_EARLIER)
        .not_valid_after(ends)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(subject_key, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.DER),
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        uri,
        ends,
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
