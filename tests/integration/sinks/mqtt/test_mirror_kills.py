"""kill -9: between the broker's acknowledgement and Kafka's, and anywhere else."""

from pathlib import Path

from tests.harness.mirrored import Listener
from tests.harness.rounds import few_and_many
from tests.harness.sink_process import killed
from tests.integration.sinks.mqtt.mirroring import config
from tests.integration.sinks.mqtt.test_mirror_troubles import history, in_order, newest, told
from uns.local.mqtt import Mqtt


@few_and_many("kills", 4, 50)
def test_all_is_told_in_order_and_the_last_values_are_exact(tmp_path: Path, kills: int) -> None:
    deliveries = history(9)[: 40 * kills]
    with Mqtt(tmp_path / "broker") as broker:
        listener = Listener(broker.address)
        options = config(broker.address, version="5" if broker.persistent else "3.1.1")
        assert killed("mqtt", options, tmp_path / "mirror", deliveries, kills) == kills
        listener.settle()
        assert told(listener) == in_order(deliveries)
        retained = {topic: one["id"] for topic, one in Listener.retained(broker.address).items()}
        assert retained == newest(deliveries)
        assert sum(len(ids) for ids in told(listener).values()) < len(listener.messages), "some came again"
        listener.close()
