"""The least that reads MQTT at QoS 1: `python -m bench.connectors.bare_mqtt HOST PORT CLIENT TOPIC COUNT`. Parses each
message, acknowledges it, and prints the seconds from the first to the last, and those of CPU; COUNT 0 leaves a session behind."""

import json
import sys
import threading
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def main(host: str, port: int, client_id: str, topic: str, count: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    done, first, cpu, seen = threading.Event(), [0.0], [0.0], [0]

    def on_subscribe(*_: Any) -> None:
        if count == 0:
            done.set()

    def on_message(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if not seen[0]:
            first[0], cpu[0] = time.monotonic(), time.process_time()
        json.loads(message.payload)
        seen[0] += 1
        if seen[0] == count:
            print(time.monotonic() - first[0], time.process_time() - cpu[0], flush=True)
            done.set()

    def on_connect(*_: Any) -> None:
        client.subscribe(topic, 1)

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect(host, port)
    client.loop_start()
    done.wait(600)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
