"""MQTT mirror: the namespace on a broker, the newest of each kind retained."""

from pathlib import Path as FilePath

from sinks.base import Sink, SinkSpec
from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.readback import verification
from sinks.mqtt.sink import Mirror
from sinks.mqtt.sparkplug.sink import EdgeNode
from sinks.mqtt.trial import trial


def build(name: str, config: MirrorConfig, folder: FilePath) -> Sink:
    """The namespace as JSON, or as a Sparkplug edge node."""
    return Mirror(name, config, folder) if config.sparkplug is None else EdgeNode(name, config, folder)


spec = SinkSpec(
    config=MirrorConfig,
    build=build,
    summary="The namespace on an MQTT broker: JSON at QoS 1, the newest of each kind retained; or as a Sparkplug B edge node",
    takes_removals=True,
    trial=trial,
    verification=verification,
)
