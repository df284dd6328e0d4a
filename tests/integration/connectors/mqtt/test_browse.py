"""What a real broker is heard to have, and that listening leaves nothing behind."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Found, SourceUnavailable
from connectors.mqtt.browse import browse
from connectors.mqtt.config import MqttConfig
from tests.harness.mosquitto import mosquitto
from tests.harness.mqtt_publisher import publish
from uns.testing.patience import patient


def config(url: str, version: str, topic: str = "none/at/all") -> MqttConfig:
    subscription = {"topic": topic, "path": "acme/dallas"}
    given = {"broker": url, "client_id": "uns", "version": version, "subscriptions": [subscription]}
    return MqttConfig.model_validate(given)


async def listened(options: MqttConfig, wanted: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(patient(20)), aclosing(browse(options)) as stream:  # type: ignore[type-var]
        async for one in stream:
            found.append(one)
            if len(found) == wanted:
                break
    return found


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_is_said_is_found(tmp_path: Path, version: str) -> None:
    with mosquitto(tmp_path, ["allow_anonymous true"]) as broker:
        publish(broker.url(), "plant/filler/data", '{"State": 6, "Speed": 1.5}', retain=True)
        found = asyncio.run(listened(config(broker.url(), version), 2))
        assert [(one.address, one.sample) for one in found if isinstance(one, Found)] == [
            ("plant/filler/data | State", 6),
            ("plant/filler/data | Speed", 1.5),
        ]


def test_a_broker_that_lets_us_hear_some_topics_only(tmp_path: Path) -> None:
    """mosquitto answers the subscription and keeps back what the user may not read."""
    acl = tmp_path / "acl"
    acl.write_text("topic read plant/#\ntopic write #\n")
    with mosquitto(tmp_path, [f"allow_anonymous true\nacl_file {acl}"]) as broker:
        publish(broker.url(), "secret/x", "1", retain=True)
        publish(broker.url(), "plant/filler/Speed", "2", retain=True)
        found = asyncio.run(listened(config(broker.url(), "5", "plant/#"), 1))
        assert [one.address for one in found if isinstance(one, Found)] == ["plant/filler/Speed"]


def test_a_broker_that_is_away(tmp_path: Path) -> None:
    with mosquitto(tmp_path, ["allow_anonymous true"]) as broker:
        url = broker.url()
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        asyncio.run(listened(config(url, "5"), 1))
