"""`uns run connector NAME --dry-run` on a real OPC UA server: shows, publishes nothing, and takes nothing from one that runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.mark import Mark, encode
from tests.contract.source_mqtt import mqtt
from tests.contract.source_opcua import opcua
from tests.contract.source_sql import sql
from tests.contract.sources import PATH
from tests.harness import MqttBroker
from tests.harness.line_logs import plant
from topology.model.plant import Plant
from topology.model.wiring import ConnectorEntry
from uns.errors import UserError
from uns.runners.connector.ledger import FOLDER
from uns.runners.connector.preview import preview
from uns.runners.connector.spool import Spool
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.testing.source import T0


def test_it_begins_where_a_run_would(tmp_path: Path) -> None:
    async def go() -> None:
        async with sql(tmp_path) as source:
            for number in (1, 2, 3):
                await source.say("State", T0 + number, number)
            spool = Spool(tmp_path / FOLDER / "plc", 1_000_000)
            spool.append([], 0, {}, {}, {"told": encode(Mark(2, (2,)))})
            spool.close()
            model = with_connector("sql", source.config)
            model.connectors["plc"].config["queries"][0]["overlap_numbers"] = 0
            found = (await asyncio.to_thread(preview, Settings(state_dir=tmp_path), model, "plc", 1, 10.0)).units
            assert [unit["value"] for unit in found] == [3]

    asyncio.run(go())


def with_connector(protocol: str, config: dict[str, Any]) -> Plant:
    return plant().model_copy(update={"connectors": {"plc": ConnectorEntry(protocol=protocol, config=config)}})


def test_it_shows_what_an_opc_ua_server_says(tmp_path: Path) -> None:
    async def go() -> None:
        async with opcua() as source:
            await source.say("State", T0, 6)
            model = with_connector("opcua", source.config)
            settings = Settings(state_dir=tmp_path)
            found = (await asyncio.to_thread(preview, settings, model, "plc", 3, 10.0)).units
            assert {"path": str(PATH), "tag": "State", "at": "2033-05-18T03:33:20.000000+00:00", "value": 6, "quality": 0} in found  # fmt: skip
            assert len(found) == 3
            running = Spool(tmp_path / FOLDER / "plc", 1000)
            with pytest.raises(UserError, match="connector plc runs"):
                await asyncio.to_thread(preview, settings, model, "plc", 3, 10.0)
            running.close()

    asyncio.run(go())


def test_what_it_shows_of_mqtt_comes_again_and_silence_is_told(
    mqtt_broker: MqttBroker, tmp_path: Path, enterprise: str
) -> None:
    async def go() -> None:
        async with mqtt(mqtt_broker, enterprise) as source:
            model, settings = with_connector("mqtt", source.config), Settings(state_dir=tmp_path)
            with pytest.raises(UserError, match="said nothing"):
                await asyncio.to_thread(preview, settings, model, "plc", 1, 0.3)
            if not mqtt_broker.persistent:
                pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")
            await source.say("State", T0, 6)
            for _ in range(2):
                ((one,), remarks) = await asyncio.to_thread(preview, settings, model, "plc", 1, 10.0)
                assert (one["tag"], one["value"]) == ("State", 6)
                (remark,) = remarks
                assert f"{one['path']}: future: " in remark, "a time of 2033"

    asyncio.run(go())


def test_a_source_that_is_away_is_told_in_words(tmp_path: Path) -> None:
    config = {"broker": f"mqtt://127.0.0.1:{free_port()}", "client_id": "x", "subscriptions": [{"topic": "a", "path": str(PATH)}]}  # fmt: skip
    with pytest.raises(UserError, match="cannot be reached"):
        preview(Settings(state_dir=tmp_path), with_connector("mqtt", config), "plc", 1, 1.0)
