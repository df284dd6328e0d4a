"""How the mirror reaches a broker: both versions of MQTT, TLS, client certificates, websockets, passwords; and what is said
when it cannot."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.records import State
from sinks.base import Retryable
from tests.harness.mirrored import Listener
from tests.harness.mosquitto import Mosquitto, mosquitto
from tests.harness.mqtt_wire import Wire
from tests.harness.secure import Certificates, certificates
from tests.integration.sinks.mqtt.mirroring import PATHS, config, delivered, mirror, of
from uns.local.mqtt import find_mosquitto

OPEN, MTLS, WEB, WEB_TLS, PASSWORD, ONE_WAY = range(6)
NAMES = ("tcp", "client-certificate", "websocket", "websocket-tls", "password", "tls")


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
    with mosquitto(folder, listeners, "max_queued_messages 0") as running:
        yield running


def reach(broker: Mosquitto, known: Certificates, listener: int) -> dict[str, Any]:
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


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("listener", range(6), ids=NAMES)
def test_a_broker_is_reached(
    broker: Mosquitto, known: Certificates, tmp_path: Path, listener: int, version: str
) -> None:
    """With more than a socket takes at once."""
    prefix = f"{NAMES[listener]}/{version}/"
    options = config("", client_id=prefix, prefix=prefix, version=version, **reach(broker, known, listener))
    records = [of(State, path, number, state="x" * 2_000) for number in range(100) for path in PATHS]

    async def go() -> None:
        async with mirror(options, tmp_path / "state") as sink:
            assert await sink.write(delivered(records), {}) == []

    asyncio.run(go())
    wanted = {f"{prefix}{path}/_state": of(State, path, 99).id for path in PATHS}
    assert {topic: one["id"] for topic, one in Listener.retained(broker.url(), f"{prefix}acme/#").items()} == wanted


def refused(options: dict[str, Any], folder: Path) -> str:
    async def go() -> str:
        with pytest.raises(Retryable) as caught:
            async with mirror(options, folder):
                pass
        return str(caught.value)

    return asyncio.run(go())


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_wrong_password_is_said_and_not_shown(broker: Mosquitto, tmp_path: Path, version: str) -> None:
    options = config(broker.url("mqtt", PASSWORD), username="uns", password="hunter3", version=version)
    words = refused(options, tmp_path)
    assert "refused the connection" in words
    assert "user" in words
    assert "hunter" not in words


def test_an_authority_that_is_not_ours_and_a_certificate_that_is_missing_are_said(broker: Mosquitto, known: Certificates, tmp_path: Path) -> None:  # fmt: skip
    other = certificates(tmp_path)
    words = refused(config(broker.url("mqtts", ONE_WAY), ca_file=str(other.ca)), tmp_path)
    assert "certificate verify failed" in words
    assert "ended the link" in refused(config(broker.url("mqtts", MTLS), ca_file=str(known.ca)), tmp_path)
    words = refused(config(broker.url("mqtts", ONE_WAY), ca_file=str(tmp_path / "none.pem")), tmp_path)
    assert "cannot be read" in words


@pytest.mark.parametrize(
    ("property_", "words"),
    [(b"\x25\x00", "retains nothing"), (b"\x24\x00", "QoS 0 only")],
    ids=["no-retained-messages", "no-qos"],
)
def test_a_broker_that_cannot_be_mirrored_on_is_said(tmp_path: Path, property_: bytes, words: str) -> None:
    """Brokers that say so are not at hand: one answers by hand."""
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            client.recv(1000)
            client.sendall(b"\x20" + bytes([3 + len(property_), 0, 0, len(property_)]) + property_)
            client.recv(1000)
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert words in refused(config(f"mqtt://127.0.0.1:{server.getsockname()[1]}"), tmp_path)
        thread.join()


def test_why_a_broker_ends_the_link_is_said(broker: Mosquitto, tmp_path: Path) -> None:
    wire = Wire(broker.url())

    async def go() -> None:
        async with mirror(config(wire.url), tmp_path / "state") as sink:
            wire.tell(bytes([0xE0, 2, 0x8E, 0]))
            await sink._link.lost.wait()  # type: ignore[attr-defined]
            with pytest.raises(Retryable, match=r"Session taken over \(a second client"):
                await sink.write(delivered([of(State, PATHS[0], 1)]), {})

    asyncio.run(go())
    wire.close()
