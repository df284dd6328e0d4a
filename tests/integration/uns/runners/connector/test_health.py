"""Health of connectors, live: what is connected and went quiet is named, by machine and by tags; and who runs twice says so."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.source_modbus import modbus
from tests.harness import MqttBroker, eventually
from tests.harness.connector_process import DEADLINE_S, NAME, Process, World, machine, mqtt
from uns.local.doctor import examine


def of_source(process: Process) -> dict[str, Any]:
    """What `/health/ready` says of the source, whether it is ready or not."""
    told: dict[str, Any] = httpx2.get(f"{process.url}/health/ready", timeout=5).json()["source"]
    return told


def uns(world: World, *command: str) -> "subprocess.CompletedProcess[str]":
    environ = os.environ | {"UNS_STATE_DIR": str(world.settings.state_dir), "UNS_PLANT": str(world.settings.plant)}
    return subprocess.run(
        [sys.executable, "-m", "uns", *command], env=environ, capture_output=True, text=True, timeout=120
    )


@pytest.mark.long
def test_a_heartbeat_that_stops_is_named_while_other_tags_go_on(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    watched = mqtt(mqtt_broker, enterprise, tags=[{"tag": "Heart*", "stale_after_s": 2}])
    world = World.make(tmp_path, kafka, registry, enterprise, watched)
    with machine(mqtt_broker, enterprise) as plc, world.process() as process:
        process.ready()
        assert of_source(process)["last_sample_age_s"] is None, "nothing yet, and nothing is stale"

        def goes_quiet() -> bool:
            plc.say(1)
            return any(f"{world.cell}: no value of 'Heart*'" in reason for reason in process.reasons())

        plc.publish(b'{"at": 1795413600005, "values": {"Heartbeat": 1}}')
        eventually(goes_quiet, DEADLINE_S, process.log())
        told = of_source(process)
        assert told["machines"][str(world.cell)]["stale"]
        assert told["connected"]
        assert (
            f'uns_connector_stale{{connector="{NAME}",machine="{world.cell}",tags="Heart*"}} 1.0' in process.metrics()
        )
        found = eventually(
            lambda: [f for f in examine(world.settings, {}) if f.check == f"connector {NAME}" and "Heart*" in f.detail],
            DEADLINE_S,
        )
        assert [finding.verdict.value for finding in found] == ["warn"]
        shown = uns(world, "connector", "status")
        assert (shown.returncode, "connected" in shown.stdout, "Heart*" in shown.stdout) == (1, True, True), shown

        def comes_back() -> bool:
            plc.publish(b'{"at": 1795413600005, "values": {"Heartbeat": 2}}')
            return process.reasons() == []

        eventually(comes_back, DEADLINE_S, process.log())
        assert process.terminate() == 0


def test_of_units_behind_a_gateway_the_one_that_is_off_is_stale(
    kafka: str, registry: str, enterprise: str, tmp_path: Path
) -> None:
    """The link stands and every cycle says of the tags that they are bad: no value is a value of the machine."""

    async def go() -> None:
        async with modbus() as source:
            tags = {"State": {"address": 0, "type": "int64"}}
            line = f"{enterprise}/dallas/packaging/line-1"
            devices = [
                {"path": f"{line}/filler", "period_s": 0.1, "tags": tags},
                {"path": f"{line}/capper", "period_s": 0.1, "tags": tags, "unit": 7},
            ]
            config = {"links": [{"url": source.config["links"][0]["url"], "timeout_s": 0.5, "devices": devices}]}
            world = await asyncio.to_thread(
                World.make,
                tmp_path,
                kafka,
                registry,
                enterprise,
                {"protocol": "modbus", "config": config, "stale_after_s": 3},
            )

            def check() -> None:
                with world.process() as process:
                    eventually(
                        lambda: any(f"{line}/capper: no value" in reason for reason in process.reasons()),
                        DEADLINE_S,
                        process.log(),
                    )
                    machines = of_source(process)["machines"]
                    assert {path: told["stale"] for path, told in machines.items()} == {
                        f"{line}/filler": False,
                        f"{line}/capper": True,
                    }
                    asyncio.run_coroutine_threadsafe(source.vanish(), loop).result(10)
                    eventually(lambda: not of_source(process)["connected"], DEADLINE_S, process.log())
                    eventually(lambda: sum(of_source(process)["errors"].values()) >= 1, DEADLINE_S, process.log())
                    eventually(lambda: of_source(process)["reconnects"] >= 1, DEADLINE_S, process.log())
                    told = of_source(process)["machines"].values()
                    assert [one["stale"] for one in told] == [False, False], "it is the source that is away"
                    assert process.terminate() == 0

            loop = asyncio.get_running_loop()
            await asyncio.to_thread(check)

    asyncio.run(go())


def test_a_second_process_of_one_name_says_so_and_ends(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    with machine(mqtt_broker, enterprise) as plc, world.process() as first:
        first.ready()
        with world.process() as second:
            assert second.ended() == 1
            assert f"connector {NAME} runs already" in second.log()
            assert f"(pid {first.pid})" in second.log()
            assert "Traceback" not in second.log()
        plc.say(5)
        eventually(lambda: world.ledger().published == 5, DEADLINE_S, first.log())
        assert world.samples("State") == plc.everything()
        told = json.loads(uns(world, "connector", "status", "--json").stdout)
        assert told[NAME]["runs"]
        first.kill()
        with world.process() as third:
            assert third.ready().terminate() == 0
    shown = uns(world, "connector", "list", "--json")
    assert json.loads(shown.stdout)["connectors"] == {NAME: "mqtt"}
