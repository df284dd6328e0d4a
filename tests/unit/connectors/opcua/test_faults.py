"""A bug of ours is no silent server: it comes out as what it is, while a server that is away is named as such."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asyncua.client.ua_client import UaClient

from connectors.base import SourceUnavailable
from connectors.opcua import connector as module
from connectors.opcua import machines
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connector import OpcUaConnector
from tests.contract.source_opcua import opcua


def _bug(*_: Any, **__: Any) -> Any:
    raise TypeError("a bug")


def _in_the_probe(connector: OpcUaConnector, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "PROBE_S", 0.01)
    patch.setattr(UaClient, "read_attributes", _bug)


def _in_the_browsing(connector: OpcUaConnector, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machines, "below", _bug)


async def _read(connector: OpcUaConnector) -> None:
    async for _ in connector.batches():
        pass


@pytest.mark.parametrize(("when", "plant"), [("open", _in_the_browsing), ("read", _in_the_probe)])
def test_a_bug_comes_out_as_a_bug(
    when: str, plant: Callable[[OpcUaConnector, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> None:
        async with opcua() as source:
            connector = OpcUaConnector("x", OpcUaConfig.model_validate(source.config))
            try:
                if when == "open":
                    plant(connector, monkeypatch)
                    with pytest.raises(TypeError, match="a bug"):
                        await connector.open({})
                else:
                    await connector.open({})
                    plant(connector, monkeypatch)
                    with pytest.raises(TypeError, match="a bug"):
                        await asyncio.wait_for(_read(connector), 20)
            finally:
                await connector.close()

    asyncio.run(go())


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    for name in ("own.pem", "key.pem"):
        (tmp_path / name).write_text("no certificate")
    config = {
        "url": "opc.tcp://127.0.0.1:1",
        "machines": [{"path": "acme/dallas", "node": "i=85"}],
        "security_policy": "Basic256Sha256",
        "certificate": tmp_path / "own.pem",
        "private_key": tmp_path / "key.pem",
    }
    with pytest.raises(SourceUnavailable, match="certificate or key"):
        asyncio.run(OpcUaConnector("x", OpcUaConfig.model_validate(config)).open({}))


def test_a_password_that_cannot_be_sent_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\nX: y")
    config = {
        "url": "opc.tcp://127.0.0.1:1",
        "machines": [{"path": "acme/dallas", "node": "i=85"}],
        "username": "uns",
        "password_file": tmp_path / "password",
    }
    with pytest.raises(SourceUnavailable, match="line break") as caught:
        asyncio.run(OpcUaConnector("x", OpcUaConfig.model_validate(config)).open({}))
    assert "hunter2" not in str(caught.value)
