"""An MQTT broker for demo and tests: mosquitto where it is installed, else amqtt from pip."""

import getpass
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from uns.errors import ServiceError
from uns.local.service import Progress, Service
from uns.runtime.child import Child
from uns.runtime.ports import HOST, claim

# Windows as wide as the connector's own, and a queue that is bounded by memory rather than by 1,000 messages.
_MOSQUITTO = """\
listener {port} {host}
allow_anonymous true
user {user}
persistence true
persistence_location {folder}/
autosave_interval 60
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 268435456
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
"""


class Mqtt(Service):
    """`address` is `mqtt://127.0.0.1:<port>`. `persistent`: whether messages wait for an offline session (mosquitto
    does; amqtt queues nothing)."""

    name = "MQTT broker"
    start_timeout_s = 20.0

    def __init__(self, folder: Path, port: int | None = None, progress: Progress = lambda line: None) -> None:
        super().__init__(folder, port, progress)
        self.mosquitto = find_mosquitto()
        self.persistent = self.mosquitto is not None

    def prepare(self) -> None:
        if self.mosquitto is None and importlib.util.find_spec("amqtt") is None:
            raise ServiceError(
                "there is no MQTT broker: install mosquitto, or pip install 'uns-backbone[embedded]'; "
                "or set UNS_MQTT to a broker that runs elsewhere"
            )

    def launch(self) -> Child:
        port = claim(self.wanted_port, self.name)
        self.address = f"mqtt://{HOST}:{port}"
        assert self.lock is not None
        return Child(
            self._mosquitto(port) if self.mosquitto else self._amqtt(port),
            self.folder / "broker.log",
            keep_open=[self.lock.fileno()],
        )

    def _mosquitto(self, port: int) -> list[str]:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            _MOSQUITTO.format(port=port, host=HOST, user=getpass.getuser(), folder=self.folder), encoding="utf-8"
        )
        return [str(self.mosquitto), "-c", str(config)]

    def _amqtt(self, port: int) -> list[str]:
        config = self.folder / "amqtt.yaml"
        document = {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config)]

    def ready(self) -> bool:
        """Whether a message at QoS 1 was acknowledged."""
        return probe(self.address)


def find_mosquitto() -> str | None:
    """Debian installs it in /usr/sbin, which is on root's path only."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


def probe(url: str, timeout_s: float = 2.0, username: str | None = None, password: str | None = None) -> bool:
    """Whether the broker at `mqtt://host:port` acknowledges a message at QoS 1."""
    host, _, port = url.rpartition("/")[2].rpartition("@")[2].partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect_timeout = timeout_s
    if username:
        client.username_pw_set(username, password)
    try:
        client.connect(host, int(port or 1883))
        client.loop_start()
        message = client.publish("uns-probe", b"", qos=1)
        message.wait_for_publish(timeout_s)
        return message.is_published()
    except (OSError, RuntimeError, ValueError):
        return False
    finally:
        client.disconnect()
        client.loop_stop()
