"""MQTT JSON at QoS 1, acknowledged once Kafka has it: a queue of messages at the broker is drained, by the whole connector
process and by bare paho, one after another in the same run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as paho
import psutil
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from bench.cluster import Failed
from bench.figures import Bench, Figure, median
from uns.local.mqtt import Mqtt
from uns.local.registry import Registry
from uns.model.apply import Applier
from uns.model.plant import load_plant
from uns.runners.connector.ledger import Ledger, read_ledgers
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings

PACKS = (1, 20)
"""Samples a message."""
MACHINE = "bench/site/area/line/machine"
T0_MS = 1_795_413_600_000
DEADLINE_S = 300.0


def measure(bench: Bench) -> list[Figure]:
    folder = bench.cluster.folder / "mqtt"
    environ = {"UNS_BOOTSTRAP": bench.cluster.bootstrap}
    with Mqtt(folder / "broker") as broker, Registry(folder / "registry", environ) as registry:
        if not broker.persistent:
            raise Failed("mosquitto is not installed: nothing queues for a session that is away")
        environ["UNS_REGISTRY"] = registry.address
        figures = []
        for pack in PACKS:
            ours, bare = [], []
            for run in range(bench.runs):
                name = f"p{pack}r{run}"
                ours.append(_ours(folder / name, name, broker.address, environ, bench.records, pack))
                bare.append(_bare(name, broker.address, bench.records, pack))
                bench.keep(
                    f"mqtt {pack}", ours=ours[-1].rate, bare=bare[-1].rate, cpu=bare[-1].cpu_us / ours[-1].cpu_us
                )
            rate, peer = median([one.rate for one in ours]), median([one.rate for one in bare])
            cpu, peer_cpu = median([one.cpu_us for one in ours]), median([one.cpu_us for one in bare])
            assert rate is not None and peer is not None and cpu is not None and peer_cpu is not None  # noqa: PT018
            figures += [
                Figure(f"MQTT, {pack} a message, acknowledged after Kafka", rate, "samples/s", 100_000 if pack == 20 else None),
                Figure(f"MQTT, {pack} a message, CPU against bare paho", peer_cpu / cpu, "×", note=f"{cpu:.1f} µs a sample, bare {peer_cpu:.1f}"),
                Figure(f"MQTT, {pack} a message, against bare paho", rate / peer, "×", 0.8 if pack == 1 else None, note=f"bare {peer:,.0f}/s"),
            ]  # fmt: skip
        return figures


class Run(NamedTuple):
    rate: float
    """Samples a second."""
    cpu_us: float
    """Of CPU a sample: what a busy machine does not change."""


def _fill(broker: str, topic: str, messages: int, pack: int) -> None:
    host, _, port = broker.removeprefix("mqtt://").partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="filler")
    client.max_inflight_messages_set(1000)
    client.max_queued_messages_set(0)
    client.connect(host, int(port))
    client.loop_start()
    last = None
    for number in range(messages):
        values = {f"T{n}": number + n / 7 for n in range(pack)}
        last = client.publish(topic, json.dumps({"at": T0_MS + number, "values": values}), qos=1)
    if last is not None:
        last.wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()


def _ours(folder: Path, name: str, broker: str, environ: dict[str, str], messages: int, pack: int) -> Run:
    """From the first sample that was read to the last that Kafka has."""
    topic = f"ours/{name}"
    settings = Settings(
        bootstrap=environ["UNS_BOOTSTRAP"], registry=environ["UNS_REGISTRY"], state_dir=folder / "state", plant=folder
    )
    model = {
        "namespace": {"enterprise": "bench", "sites": {"site": {"areas": {"area": {"lines": {"line": {"cells": {"machine": "machine"}}}}}}}},
        "types": {"machine": {"tags": {}, "ideal_cycle_s": 1}},
        "connectors": {"plc": {"protocol": "mqtt", "config": {"broker": broker, "client_id": f"ours-{name}", "subscriptions": [{"topic": topic, "path": MACHINE}]}}},
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    applier = Applier(settings, load_plant(folder))
    applier.apply(applier.plan())
    _run(settings, 0)  # leaves the session behind
    _fill(broker, topic, messages, pack)
    return _run(settings, messages * pack)


def _run(settings: Settings, wanted: int) -> Run:
    """Runs the connector until so many samples are published."""
    port = free_port()
    environ = os.environ | {
        "UNS_BOOTSTRAP": str(settings.bootstrap),
        "UNS_REGISTRY": str(settings.registry),
        "UNS_STATE_DIR": str(settings.state_dir),
        "UNS_PLANT": str(settings.plant),
        "UNS_METRICS_PORT": str(port),
    }
    command = [sys.executable, "-m", "uns", "run", "connector", "plc"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            begun, deadline = 0.0, time.monotonic() + DEADLINE_S
            while time.monotonic() < deadline:
                ledger = read_ledgers(settings.state_dir).get("plc", Ledger())
                if wanted == 0 and _open(settings):
                    return Run(0, 0)
                if not begun and ledger.read:
                    begun, before, cpu_s = time.monotonic(), ledger.published, _cpu_s(process.pid)
                if wanted and ledger.published >= wanted:
                    done, spent_s = ledger.published - before, _cpu_s(process.pid) - cpu_s
                    return Run(done / (time.monotonic() - begun), 1e6 * spent_s / done)
                if process.poll() is not None:
                    raise Failed(f"the connector ended with {process.returncode}")
                time.sleep(0.02)
            raise Failed(f"{ledger.published} of {wanted} samples after {DEADLINE_S:.0f} s")
        finally:
            process.terminate()


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _open(settings: Settings) -> bool:
    """Whether the source is open: the spool keeps since when it listens."""
    from uns.runners.connector.health import read_health

    health = read_health(settings.state_dir).get("plc")
    return health is not None and not health.problems


def _bare(name: str, broker: str, messages: int, pack: int) -> Run:
    host, _, port = broker.removeprefix("mqtt://").partition(":")
    topic = f"bare/{name}"
    command = [sys.executable, "-m", "bench.connectors.bare_mqtt", host, port, f"bare-{name}", topic]
    subprocess.run([*command, "0"], check=True, timeout=DEADLINE_S)
    _fill(broker, topic, messages, pack)
    done = subprocess.run([*command, str(messages)], check=True, timeout=DEADLINE_S, capture_output=True, text=True)
    wall_s, cpu_s = map(float, done.stdout.split())
    return Run(messages * pack / wall_s, 1e6 * cpu_s / (messages * pack))
