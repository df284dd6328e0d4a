"""Telegraf as a peer: the same messages from the same broker to a topic of its own, built by Go on demand.

Its configuration: a persistent session at QoS 1, a message acknowledged at the broker once Kafka has it, at most 10,000 of
them under way, written in batches of 1,000 every 100 ms, acks of all replicas, lz4. It writes each message as one JSON
record with its fields; ours makes checked, sequenced Avro records of it, and keeps them on disk first.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cluster import Cluster, Failed, Visible, cpu_s
from bench.connectors.job import DEADLINE_S, POLL_S, Drained, fill, wait
from bench.telegraf import program

CONFIG = """\
[agent]
  interval = "1s"
  flush_interval = "100ms"
  metric_batch_size = 1000
  metric_buffer_limit = 100000
  omit_hostname = true
  quiet = true
[[inputs.mqtt_consumer]]
  servers = [{broker}]
  topics = [{topic}]
  client_id = {client}
  persistent_session = true
  qos = 1
  max_undelivered_messages = 10000
  topic_tag = ""
  data_format = "json"
  json_time_key = "at"
  json_time_format = "unix_ms"
[[outputs.kafka]]
  brokers = [{bootstrap}]
  topic = {target}
  required_acks = -1
  compression_codec = 3
  data_format = "json"
"""


class Telegraf:
    """The program, built once below `build/`. Raises `Failed` where there is no Go, or it cannot be built."""

    def __init__(self) -> None:
        self._program = program()

    def drain(self, cluster: Cluster, name: str, broker: str, messages: int, pack: int) -> Drained:
        """As our connector: a session that was there before, a queue that waits for it."""
        topic, target = f"telegraf/{name}", f"bench-telegraf-{name}"
        cluster.make(target)
        file = cluster.folder / f"telegraf-{name}.conf"
        words = {"broker": broker.replace("mqtt", "tcp", 1), "topic": topic, "client": f"telegraf-{name}", "bootstrap": cluster.bootstrap, "target": target}  # fmt: skip
        file.write_text(CONFIG.format(**{key: json.dumps(word) for key, word in words.items()}), encoding="utf-8")
        visible = Visible(cluster, target)
        try:
            self._subscribe(file, visible, broker, topic, pack)
            before = visible.look()[0]
            fill(broker, topic, messages, pack)
            with self._running(file) as process:
                wait(lambda: visible.look()[0] > before, process, "Telegraf writes nothing")
                begun, first, cpu = time.monotonic(), visible.look()[0], cpu_s(process.pid)
                wait(lambda: visible.look()[0] >= before + messages, process, f"Telegraf has not written {messages}")
                samples, took_s = (visible.look()[0] - first) * pack, time.monotonic() - begun
                return Drained(samples / took_s, samples / max(cpu_s(process.pid) - cpu, POLL_S))
        finally:
            visible.close()
            cluster.drop(target)

    def _subscribe(self, file: Path, visible: Visible, broker: str, topic: str, pack: int) -> None:
        """Leaves a session behind: it has one once what is published comes through."""
        before, deadline = visible.look()[0], time.monotonic() + DEADLINE_S
        with self._running(file) as process:
            while visible.look()[0] == before:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Failed("Telegraf does not begin")
                fill(broker, topic, 1, pack)
                time.sleep(0.2)

    @contextmanager
    def _running(self, file: Path) -> Iterator["subprocess.Popen[bytes]"]:
        with subprocess.Popen([str(self._program), "--config", str(file)], stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.terminate()
