"""Certificates: made by our own command, whatever their files are called, and words for what is wrong with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Server, ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.user_managers import CertificateUserManager
from cryptography import x509

from connectors.base import SourceUnavailable
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connector import OpcUaConnector
from connectors.opcua.security import ADVICE, said
from uns.runtime.certificates import Certificate, opcua_client
from uns.runtime.ports import free_port
from uns.testing.patience import patient

FILLER = "acme/dallas/packaging/line-1/filler"
POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")


def made(name: str = "test", days: int = 30, now: datetime | None = None) -> Certificate:
    return opcua_client(name, ("127.0.0.1", "plant.example"), days, now or datetime.now(UTC))


@asynccontextmanager
async def secured(
    folder: Path, trusted: Certificate, who: Any = None, also: tuple[str, ...] = ()
) -> AsyncIterator[str]:
    """The address of a server that takes no one without a certificate, and of those the trusted one only. `who` tells users
    otherwise; `also` are more policies."""
    own, trust = made("server"), folder / "trusted"
    trust.mkdir(parents=True)
    (folder / "server.der").write_bytes(own.der)
    (folder / "server.pem").write_bytes(own.key_pem)
    users = CertificateUserManager()
    server = Server(user_manager=who or users)
    await server.init()
    await server.set_application_uri(own.application_uri)
    port = free_port()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    kinds = ("Sign", "SignAndEncrypt")
    names = [*also, *(f"{policy}_{kind}" for policy in POLICIES for kind in kinds)]
    server.set_security_policy(
        [getattr(ua.SecurityPolicyType, name) for name in names], permission_ruleset=SimpleRoleRuleset()
    )
    await server.load_certificate(str(folder / "server.der"))
    await server.load_private_key(str(folder / "server.pem"))
    (trust / "client.der").write_bytes(trusted.der)
    await users.add_admin(trust / "client.der", name="client")
    store = TrustStore([trust], [])
    await store.load()
    options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.TIME_RANGE
    server.set_certificate_validator(CertificateValidator(options, store))
    ns = await server.register_namespace("urn:test")
    await server.nodes.objects.add_variable(ua.NodeId("State", ns), ua.QualifiedName("State", ns), 6)
    await server.start()
    try:
        yield f"opc.tcp://127.0.0.1:{port}"
    finally:
        await server.stop()


def config(url: str, folder: Path, client: Certificate, pem: bool, **more: Any) -> OpcUaConfig:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.crt").write_bytes(client.pem if pem else client.der)
    (folder / "own.key").write_bytes(client.key_pem)
    return OpcUaConfig.model_validate(
        {
            "url": url,
            "publish_interval_ms": 20,
            "timeout_s": 5,
            "machines": [{"path": FILLER, "tags": {"State": "nsu=urn:test;s=State"}}],
            "security_policy": POLICIES[0],
            "certificate": folder / "own.crt",
            "private_key": folder / "own.key",
            **more,
        }
    )


async def first_value(connector: OpcUaConnector) -> Any:
    async with asyncio.timeout(patient(20)):
        await connector.open({})
        try:
            async for batch in connector.batches():
                for reading in batch.readings:
                    return reading.sample.value
        finally:
            await connector.close()


def test_each_policy_and_mode_reads_by_a_certificate_of_our_own_making(tmp_path: Path) -> None:
    client = made()

    async def go() -> None:
        async with secured(tmp_path / "server", client) as url:
            for n, policy in enumerate(POLICIES):
                for mode in ("Sign", "SignAndEncrypt"):
                    folder = tmp_path / f"{policy}-{mode}"
                    options = config(url, folder, client, pem=n % 2 == 0, security_policy=policy, security_mode=mode)
                    assert await first_value(OpcUaConnector("x", options)) == 6

    asyncio.run(go())


def test_a_user_by_certificate_and_a_server_that_is_known(tmp_path: Path) -> None:
    client = made()

    async def go() -> None:
        async with secured(tmp_path / "server", client) as url:
            options = config(
                url, tmp_path / "c", client, pem=True,
                user_certificate=tmp_path / "c" / "own.crt", user_key=tmp_path / "c" / "own.key",
                server_certificate=tmp_path / "server" / "server.der",
            )  # fmt: skip
            assert await first_value(OpcUaConnector("x", options)) == 6

    asyncio.run(go())


class Passwords:
    """Lets in who knows the password."""

    def get_user(self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None) -> User | None:  # fmt: skip
        return User(role=UserRole.User) if (username, password) == ("uns", "s3cret") else None


def test_a_user_by_password_in_the_clear_and_sealed(tmp_path: Path) -> None:
    client = made()
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")

    async def go() -> None:
        async with secured(tmp_path / "server", client, Passwords(), ("NoSecurity",)) as url:
            user = {"username": "uns", "password_file": secret}
            plain = {"security_policy": "None", **user}
            assert await first_value(OpcUaConnector("x", config(url, tmp_path / "c", client, True, **plain))) == 6
            assert await first_value(OpcUaConnector("x", config(url, tmp_path / "c", client, True, **user))) == 6
            for wrong in ({"username": "uns", "password": "hunter2"}, {}):
                connector = OpcUaConnector("x", config(url, tmp_path / "c", client, True, **wrong))
                with pytest.raises(SourceUnavailable) as refused:
                    await connector.open({})
                await connector.close()
                assert "user or password is wrong" in str(refused.value)
                assert "hunter2" not in str(refused.value)

    asyncio.run(go())


def test_a_server_with_another_certificate_than_the_one_that_is_known_is_not_believed(tmp_path: Path) -> None:
    client = made()
    (tmp_path / "other.der").write_bytes(made("server").der)

    async def go() -> None:
        async with secured(tmp_path / "server", client) as url:
            options = config(url, tmp_path / "c", client, True, server_certificate=tmp_path / "other.der", timeout_s=2)
            connector = OpcUaConnector("x", options)
            with pytest.raises(SourceUnavailable, match="Is `server_certificate` still the one that it has"):
                await connector.open({})
            await connector.close()

    asyncio.run(go())


def test_a_certificate_that_the_server_does_not_trust_says_what_to_do(tmp_path: Path) -> None:
    async def go() -> None:
        async with secured(tmp_path / "server", made("somebody")) as url:
            connector = OpcUaConnector("x", config(url, tmp_path / "c", made(), pem=False))
            with pytest.raises(SourceUnavailable, match="rejected"):
                await connector.open({})
            await connector.close()

    asyncio.run(go())


def test_every_code_of_security_has_advice() -> None:
    for name in dir(ua.StatusCodes):
        if name.startswith(("BadCertificate", "BadSecurity", "BadIdentityToken")) and "Issuer" not in name:
            code = getattr(ua.StatusCodes, name)
            assert code in ADVICE, name
            assert said(ua.UaStatusCodeError(code)).endswith(ADVICE[code])


def test_what_we_make_is_what_the_specification_asks_for() -> None:
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    certificate = x509.load_der_x509_certificate(made("plc-1", 30, now).der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:127.0.0.1:uns-backbone:plc-1"]
    assert names.get_values_for_type(x509.DNSName) == ["plant.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert usage.key_encipherment
    assert usage.data_encipherment
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc == now + timedelta(days=30)
