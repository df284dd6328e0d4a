"""Messages of a machine, by mosquitto's own client where it is installed, else by paho."""

import shutil
import subprocess

import paho.mqtt.publish as paho

from uns.testing.patience import patient


def publish(url: str, topic: str, *payloads: str, retain: bool = False) -> None:
    """At QoS 1, in this order; returns when the broker has them. No line breaks in payloads."""
    host, _, port = url.removeprefix("mqtt://").partition(":")
    if command := shutil.which("mosquitto_pub"):
        kept = ["-r"] if retain else []
        text = "".join(f"{payload}\n" for payload in payloads)
        subprocess.run(
            [command, "-h", host, "-p", port, "-q", "1", "-t", topic, "-l", *kept],
            input=text.encode(),
            check=True,
            timeout=patient(30),
        )
        return
    paho.multiple([{"topic": topic, "payload": one, "qos": 1, "retain": retain} for one in payloads], host, int(port))
