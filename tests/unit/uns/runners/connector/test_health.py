"""What a connector says of itself, for who looks from beside; errors of sources have few kinds."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from connectors.base import SourceUnavailable
from uns.runners.connector.health import Health, Machine, SourceHealth, kind_of, read_health
from uns.runners.connector.spool import Spool
from uns.runtime.ports import free_port


def test_it_is_read_as_it_was_said(tmp_path: Path) -> None:
    health = Health(7, ("why",), SourceHealth(True, None, 2, {"timeout": 3}, {"a/b": Machine(1.5, True)}))
    spool = Spool(tmp_path / "connectors" / "plc", 1_000)
    assert read_health(tmp_path) == {"plc": None}
    spool.says(Health(1, (), health.source))
    spool.says(health)
    assert read_health(tmp_path) == {"plc": health}
    spool.close()
    assert [health.runs(now_s) for now_s in (8.0, 80.0)] == [True, False]


async def _connect(host: str, port: int, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.open_connection(host, port, ssl=tls)
    except (TimeoutError, OSError) as error:
        raise SourceUnavailable("away") from error


def _kind(host: str, port: int, timeout_s: float = 5.0, tls: ssl.SSLContext | None = None) -> str:
    with pytest.raises(SourceUnavailable) as caught:
        asyncio.run(_connect(host, port, timeout_s, tls))
    return kind_of(caught.value)


def test_the_kind_of_an_error_is_that_of_its_cause() -> None:
    assert _kind("127.0.0.1", free_port()) == "refused"
    assert _kind("no-such-host.invalid", 1) == "name"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert _kind("127.0.0.1", silent.getsockname()[1], 0.05, ssl.create_default_context()) == "timeout"
    assert kind_of(SourceUnavailable("it says no")) == "other"
    for cause, kind in ((ssl.SSLCertVerificationError(), "tls"), (ConnectionResetError(), "network")):
        error = SourceUnavailable("away")
        error.__cause__ = cause
        assert kind_of(error) == kind
