"""How brokers are reached, with a real mosquitto: both versions of MQTT, TLS, client certificates, websockets; and what is
said when they cannot be."""

import asyncio
import datetime
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Connector, SourceUnavailable
from connectors.mqtt import spec
from tests.harness.mosquitto import Mosquitto, mosquitto
from tests.harness.mqtt_publisher import publish
from tests.harness.mqtt_wire import Wire
from tests.harness.secure import Certificates, certificates, revocations
from tests.harness.waiting import until
from uns.local.mqtt import find_mosquitto
from uns.testing.patience import patient

OPEN, MTLS, WEB, WEB_TLS, PASSWORD, ONE_WAY = range(6)
PLACE = "acme/dallas/packaging/line-1/filler"
TOPIC = "dallas/data"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, known: Certificates) -> Iterator[Mosquitto]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (Debian: mosquitto)")
    folder = tmp_path_factory.mktemp("mosquitto")
    passwords = folder / "passwords"
    passwords.write_text("uns:hunter2\n")
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    tls = f"allow_anonymous true\ncafile {known.ca}\ncertfile {known.server}\nkeyfile {known.server}\n"
    listeners = ["allow_anonymous true"] * 6
    listeners[MTLS] = f"{tls}require_certificate true\nuse_identity_as_username true"
    listeners[WEB] = "allow_anonymous true\nprotocol websockets"
    listeners[WEB_TLS] = f"{tls}protocol websockets"
    listeners[PASSWORD] = f"password_file {passwords}"
    listeners[ONE_WAY] = tls
    with mosquitto(folder, listeners) as running:
        yield running


def reach(broker: Mosquitto, known: Certificates, listener: int) -> dict[str, Any]:
    """The options that go with a listener."""
    ours = {"certificate_file": str(known.client), "key_file": str(known.client_key)}
    options: dict[int, dict[str, Any]] = {
        OPEN: {"broker": broker.url()},
        MTLS: {"broker": broker.url("mqtts", MTLS), "ca_file": str(known.ca), **ours},
        WEB: {"broker": broker.url("ws", WEB, "/mqtt"), "headers": {"X-Plant": "dallas"}},
        WEB_TLS: {"broker": broker.url("wss", WEB_TLS), "ca_file": str(known.ca)},
        PASSWORD: {"broker": broker.url("mqtt", PASSWORD), "username": "uns", "password": "hunter2"},
        ONE_WAY: {"broker": broker.url("mqtts", ONE_WAY), "ca_file": str(known.ca)},
    }
    return options[listener]


def config(name: str, **options: Any) -> dict[str, Any]:
    subscription = {"topic": TOPIC, "path": PLACE, "payload": "object"}
    return {"client_id": name, "keep_alive_s": 2, "subscriptions": [subscription], **options}


async def first_value(options: dict[str, Any], broker: Mosquitto, number: int) -> None:
    """Opens a connector and reads what a machine says."""
    connector = spec.build("mqtt", spec.config.model_validate(options))
    try:
        await connector.open({})
        publish(broker.url(), TOPIC, f'{{"State": {number}}}')
        async with asyncio.timeout(patient(20)):
            async for batch in connector.batches():
                await batch.ack()
                if any(reading.sample.value == number for reading in batch.readings):
                    break
        assert connector.healthy()
    finally:
        await connector.close()


async def ended(connector: Connector) -> str:
    """The words with which a connector ends."""
    try:
        async with asyncio.timeout(patient(20)):
            async for _ in connector.batches():
                pass
    except SourceUnavailable as end:
        return str(end)
    finally:
        await connector.close()
    raise AssertionError("it ended without a word")


async def refused(options: dict[str, Any]) -> str:
    """The words with which a connector cannot be opened, or ends at once."""
    connector = spec.build("mqtt", spec.config.model_validate(options))
    try:
        await connector.open({})
    except SourceUnavailable as refusal:
        await connector.close()
        return str(refusal)
    return await ended(connector)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize(
    "listener", range(6), ids=["tcp", "client-certificate", "websocket", "websocket-tls", "password", "tls"]
)
def test_a_broker_is_reached(broker: Mosquitto, known: Certificates, listener: int, version: str) -> None:
    options = config(f"reach-{listener}-{version}", version=version, **reach(broker, known, listener))
    asyncio.run(first_value(options, broker, listener + 10 * int(version[0])))


@pytest.mark.parametrize(
    ("code", "words"),
    [(0x8B, "Server shutting down"), (0x8E, "Session taken over (a second client"), (0x97, "raise its limits")],
    ids=["shut-down", "taken-over", "quota"],
)
def test_why_a_broker_ends_the_link_is_said(broker: Mosquitto, code: int, words: str) -> None:
    """mosquitto 2.0 closes without a word; what other brokers say is put into its mouth."""
    wire = Wire(broker.url())

    async def go() -> str:
        connector = spec.build("mqtt", spec.config.model_validate(config(f"end-{code}", broker=wire.url)))
        await connector.open({})
        wire.tell(bytes([0xE0, 2, code, 0]))
        return await ended(connector)

    try:
        assert words in asyncio.run(go())
    finally:
        wire.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_wrong_password_is_said(broker: Mosquitto, version: str) -> None:
    options = config("wrong", version=version, broker=broker.url("mqtt", PASSWORD), username="uns", password="hunter3")
    words = asyncio.run(refused(options))
    assert "refused the connection" in words
    assert "user" in words
    assert "hunter" not in words


def test_a_certificate_of_an_authority_that_is_not_ours_is_said(broker: Mosquitto, tmp_path: Path) -> None:
    other = certificates(tmp_path)
    words = asyncio.run(refused(config("other", broker=broker.url("mqtts", ONE_WAY), ca_file=str(other.ca))))
    assert "certificate verify failed" in words


def test_a_missing_certificate_is_said(broker: Mosquitto, known: Certificates) -> None:
    words = asyncio.run(refused(config("bare", broker=broker.url("mqtts", MTLS), ca_file=str(known.ca))))
    assert "does it ask for a client certificate" in words


def test_a_certificate_that_has_ended_is_said_before_it_is_shown(broker: Mosquitto, tmp_path: Path) -> None:
    old = certificates(tmp_path, ends=-datetime.timedelta(hours=1))
    ours = {"certificate_file": str(old.client), "key_file": str(old.client_key)}
    words = asyncio.run(refused(config("old", broker=broker.url("mqtts", MTLS), ca_file=str(old.ca), **ours)))
    assert f"{old.client} has ended on" in words


def test_a_certificate_that_ends_soon_is_a_problem_of_a_sound_link(broker: Mosquitto, known: Certificates) -> None:
    connector = spec.build("mqtt", spec.config.model_validate(config("soon", **reach(broker, known, MTLS))))

    async def go() -> None:
        await connector.open({})
        assert [str(known.client) in problem for problem in connector.problems()] == [True]
        await connector.close()

    asyncio.run(go())


def test_the_end_of_the_brokers_certificate_and_a_revoked_one_of_ours_are_said(
    known: Certificates, tmp_path: Path
) -> None:
    old = certificates(tmp_path, ends=-datetime.timedelta(hours=1))
    tls = "allow_anonymous true\ncafile {0}\ncertfile {1}\nkeyfile {1}\n"
    revoked = (
        f"{tls.format(known.ca, known.server)}require_certificate true\ncrlfile {revocations(known, known.client)}"
    )
    with mosquitto(tmp_path / "broker", [tls.format(old.ca, old.server), revoked]) as broker:
        words = asyncio.run(refused(config("end", broker=broker.url("mqtts", 0), ca_file=str(old.ca))))
        assert "certificate has expired" in words
        options = {"broker": broker.url("mqtts", 1), "ca_file": str(known.ca)}
        ours = {"certificate_file": str(known.client), "key_file": str(known.client_key)}
        words = asyncio.run(refused(config("revoked", **options, **ours)))
        assert "client certificate, and take ours" in words


def test_a_key_with_a_password_asks_nobody(broker: Mosquitto, known: Certificates, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-in", str(known.client_key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(command, check=True)
    options = {**reach(broker, known, MTLS), "key_file": str(locked)}
    assert "the key has a password" in asyncio.run(refused(config("locked", **options)))


def test_a_second_client_of_our_name_is_said(broker: Mosquitto) -> None:
    async def go() -> str:
        first = spec.build("mqtt", spec.config.model_validate(config("twice", broker=broker.url())))
        second = spec.build("mqtt", spec.config.model_validate(config("twice", broker=broker.url())))
        await first.open({})
        await second.open({})
        words = await ended(first)
        await second.close()
        return words

    assert "second client" in asyncio.run(go())


def test_a_broker_that_speaks_no_mqtt_5_is_said(tmp_path: Path) -> None:
    pytest.importorskip("amqtt")
    from uns.local import mqtt as local

    class Amqtt(local.Mqtt):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            self.mosquitto = None

    with Amqtt(tmp_path) as old:
        words = asyncio.run(refused(config("five", broker=old.address)))
        assert "version: 3.1.1" in words
        connector = spec.build("mqtt", spec.config.model_validate(config("three", broker=old.address, version="3.1.1")))

        async def go() -> None:
            await connector.open({})
            until(connector.healthy)
            await connector.close()

        asyncio.run(go())
