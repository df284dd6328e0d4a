"""MQTT mirror: the namespace on a broker, the newest of each kind retained."""

from sinks.base import SinkSpec
from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.readback import verification
from sinks.mqtt.sink import Mirror
from sinks.mqtt.trial import trial

spec = SinkSpec(
    config=MirrorConfig,
    build=Mirror,
    summary="The namespace on an MQTT broker: JSON at QoS 1, the newest of each kind retained",
    takes_removals=True,
    trial=trial,
    verification=verification,
)
