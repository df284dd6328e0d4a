"""Telegraf beside the plant, for the transport alone: the same messages from MQTT to Kafka, and from there into PostgreSQL.

Two processes of one program, built by Go on demand: one reads MQTT and writes a JSON record a message to Kafka (acks of all
replicas, lz4), the other reads those and writes a row a message, a column a tag. It knows no contract, no sequence, no spool on
disk, no revision, and its rows may come twice; the same generator and the same measure of CPU and memory as for us.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from bench.cluster import Failed
from bench.engines import child
from bench.plant import machines, usage
from bench.plant.plant import python
from bench.telegraf import VERSION, program
from uns.kafka import clients
from uns.kafka.offsets import watermarks
from uns.local.services import Services
from uns.runtime.settings import Settings, from_environment

TOPIC, TABLE = "bench-telegraf", "bench_telegraf"
LEAD_S, DRAIN_S = 8.0, 60.0
_AGENT = """\
[agent]
  interval = "1s"
  flush_interval = "200ms"
  metric_batch_size = 1000
  metric_buffer_limit = 200000
  omit_hostname = true
  quiet = true
"""
_FORWARD = """\
[[inputs.mqtt_consumer]]
  servers = [{mqtt}]
  topics = ["+/+/+/+/+/data"]
  client_id = "telegraf"
  persistent_session = true
  qos = 1
  max_undelivered_messages = 10000
  name_override = {table}
  data_format = "json"
  json_time_key = "at"
  json_time_format = "unix_ms"
[[outputs.kafka]]
  brokers = [{kafka}]
  topic = {topic}
  required_acks = -1
  compression_codec = 3
  data_format = "json"
  json_timestamp_units = "1ms"
"""
_STORE = """\
[[inputs.kafka_consumer]]
  brokers = [{kafka}]
  topics = [{topic}]
  kafka_version = "2.8.0"
  consumer_group = "telegraf"
  offset = "oldest"
  max_undelivered_messages = 10000
  data_format = "json"
  json_time_key = "timestamp"
  json_time_format = "unix_ms"
  tag_keys = ["tags_topic"]
  name_override = {table}
[[outputs.postgresql]]
  connection = {postgres}
"""


def beside(count: int, seconds: int, say: Callable[[str], None]) -> dict[str, object]:
    """CPU microseconds a sample of each hop, and what arrived; or why there are none."""
    try:
        found = _measured(program(), count, seconds)
    except (Failed, KafkaException, psycopg.Error) as error:
        say(f"Telegraf: {error}")
        return {"failed": str(error)}
    say(f"Telegraf, {count:,} machines: {found}")
    return found


def _measured(telegraf: Path, count: int, seconds: int) -> dict[str, object]:
    with Services(Settings(), want=("bootstrap", "postgres", "mqtt"), ephemeral=True) as services:
        settings, folder = from_environment(services.environ), services.folder / "telegraf"
        words = {
            "mqtt": services.environ["UNS_MQTT"].replace("mqtt", "tcp", 1), "kafka": str(settings.bootstrap),
            "postgres": str(settings.postgres), "topic": TOPIC, "table": TABLE,
        }  # fmt: skip
        quoted = {name: json.dumps(word) for name, word in words.items()}
        folder.mkdir()
        admin = clients.admin(settings)
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result()
        started = []
        try:
            for name, text in (("forward", _FORWARD), ("store", _STORE)):
                (file := folder / f"{name}.conf").write_text(_AGENT + text.format(**quoted), encoding="utf-8")
                started.append(child(folder, name, [str(telegraf), "--config", str(file)]))
            begin_ms = int((time.time() + LEAD_S) * 1000)
            spoken = python("bench.plant.generator", services.environ["UNS_MQTT"], begin_ms, count, seconds)
            started.append(child(folder, "generator", spoken))
            pids = {"MQTT to Kafka": started[0].pid, "Kafka to PostgreSQL": started[1].pid}
            time.sleep(max(0.0, begin_ms / 1000 - time.time()))
            before = usage.cpu_s(pids)
            arrived, stored = _arrived(settings, count * seconds)
            for process in started[:2]:
                if not process.alive:
                    raise Failed(f"Telegraf ended: {' '.join(process.tail(3))[-400:]}")
            after, memory = usage.cpu_s(pids), usage.memory(pids)
        finally:
            for process in started:
                process.kill()
    samples = machines.samples(count, seconds)
    return {
        "version": VERSION, "machines": count, "messages": count * seconds, "in Kafka": arrived, "rows": stored,
        "us_sample": {name: (after[name] - before[name]) / samples * 1e6 for name in pids},
        "memory_mb": {name: memory[name].now for name in pids},
    }  # fmt: skip


def _arrived(settings: Settings, wanted: int) -> tuple[int, int]:
    """Records of the topic and rows of the table, once all are there or the time is over."""
    deadline = time.monotonic() + wanted / 500 + DRAIN_S
    while True:
        arrived, stored = _records(settings), _rows(str(settings.postgres))
        if (arrived >= wanted and stored >= wanted) or time.monotonic() > deadline:
            return arrived, stored
        time.sleep(0.5)


def _records(settings: Settings) -> int:
    reader = Consumer(settings.kafka(**{"group.id": "bench-reader"}))
    try:
        return watermarks(reader, TopicPartition(TOPIC, 0), 10)[1]
    finally:
        reader.close()


def _rows(dsn: str) -> int:
    try:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    return int(row[0]) if row else 0
