"""A plant model that changes under full flow, live: nothing is lost, nothing comes twice, and the ledger is exact."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.records import Sample
from tests.harness import MqttBroker, eventually
from tests.harness.connector_process import DEADLINE_S, NAME, Machine, Process, World, machine, mqtt
from uns.testing.source import T0

RELOADS = 20


class Model:
    """The plant file of a world, to be changed."""

    def __init__(self, world: World) -> None:
        self._file = world.folder / "plant" / "plant.yaml"

    def change(self, **entry: Any) -> None:
        model = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        model["connectors"][NAME] |= entry
        part = self._file.with_suffix(".part")
        part.write_text(yaml.safe_dump(model), encoding="utf-8")
        part.replace(self._file)

    def spoil(self) -> str:
        good = self._file.read_text(encoding="utf-8")
        self._file.write_text(good.replace("protocol: mqtt", "protocol: mqqt"), encoding="utf-8")
        return good

    def restore(self, good: str) -> None:
        self._file.write_text(good, encoding="utf-8")


def reloads(process: Process) -> int:
    line = next(line for line in process.metrics().splitlines() if line.startswith("uns_connector_reloads_total{"))
    return int(float(line.rsplit(" ", 1)[1]))


@pytest.mark.long
def test_twenty_reloads_under_full_flow_lose_nothing(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    """Rules change in two of three, how the source is read in the third: then it is opened anew."""
    if not mqtt_broker.persistent:
        pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")
    entry = mqtt(mqtt_broker, enterprise)
    world, stop = World.make(tmp_path, kafka, registry, enterprise, entry), threading.Event()
    model = Model(world)
    with machine(mqtt_broker, enterprise) as plc, world.process() as process:
        process.ready()

        def talk() -> None:
            while not stop.is_set():
                plc.say(5)

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            for number in range(1, RELOADS + 1):
                read = world.ledger().read
                eventually(lambda read=read: world.ledger().read > read + 20, DEADLINE_S, process.log())  # type: ignore[misc]
                if number % 3:
                    model.change(tags=[{"tag": "State", "name": "State", "scale": 1, "offset": number * 1_000_000}])
                else:
                    model.change(config=entry["config"] | {"keep_alive_s": 20 + number})
                os.kill(process.pid, signal.SIGHUP)
                eventually(lambda number=number: reloads(process) == number, DEADLINE_S, process.log())  # type: ignore[misc]
                assert world.ledger().lost == 0
            assert model_is_refused_and_flow_goes_on(model, process, plc)
        finally:
            stop.set()
            talker.join()
        eventually(lambda: world.ledger().published >= plc.said, DEADLINE_S, process.log())
        ledger = world.settled()
        samples = world.samples("State")
        assert process.log().count("opened anew") == RELOADS // 3
        assert process.reasons() == []
        assert process.terminate() == 0
    told = [Sample("State", sample.at, int(sample.value) % 1_000_000) for sample in samples]  # type: ignore[arg-type]
    assert sorted(told, key=lambda sample: sample.at) == plc.everything(), "each value once"
    assert (ledger.read, ledger.published) == (plc.said, plc.said)
    rules = list(dict.fromkeys(int(sample.value) // 1_000_000 for sample in samples))  # type: ignore[arg-type]
    assert rules == [0, *(number for number in range(1, RELOADS + 1) if number % 3)], "each rule held, in its turn"


def model_is_refused_and_flow_goes_on(model: Model, process: Process, plc: Machine) -> bool:
    good = model.spoil()
    eventually(lambda: any("is refused" in reason for reason in process.reasons()), DEADLINE_S, process.log())
    (why,) = [reason for reason in process.reasons() if "is refused" in reason]
    assert "did you mean 'mqtt'" in why
    assert "plant model refused" in process.log()
    said = plc.said
    eventually(lambda: plc.said > said + 20, DEADLINE_S)
    model.restore(good)
    eventually(lambda: process.reasons() == [], DEADLINE_S, process.log())
    return True


def test_a_changed_file_is_seen(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    with machine(mqtt_broker, enterprise) as plc, world.process() as process:
        process.ready()
        plc.say(3)
        eventually(lambda: world.ledger().published == 3, DEADLINE_S, process.log())
        Model(world).change(tags=[{"tag": "State", "name": "Status"}])
        eventually(lambda: reloads(process) == 1, DEADLINE_S, process.log())
        plc.say(1)
        eventually(lambda: world.samples("Status") == [Sample("Status", T0 + 4000, 4)], DEADLINE_S, process.log())
        assert process.terminate() == 0
