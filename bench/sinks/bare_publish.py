"""The least that publishes at QoS 1: `python -m bench.sinks.bare_publish HOST PORT FILE`, a JSON list of topics and payloads.
Prints the seconds from the first message to the last acknowledgement."""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

WINDOW = 1_000


def main(host: str, port: int, file: Path) -> None:
    messages = [(topic, payload.encode()) for topic, payload in json.loads(file.read_bytes())]
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    room, left, done, linked = threading.Semaphore(WINDOW), [len(messages)], threading.Event(), threading.Event()

    def on_publish(*_: Any) -> None:
        room.release()
        left[0] -= 1
        if not left[0]:
            done.set()

    client.on_publish, client.on_connect = on_publish, lambda *_: linked.set()
    client.connect(host, port)
    client.loop_start()
    linked.wait(30)
    begun = time.monotonic()
    for topic, payload in messages:
        room.acquire()
        client.publish(topic, payload, 1, True)
    done.wait(600)
    print(time.monotonic() - begun)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
