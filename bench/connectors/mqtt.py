"""MQTT JSON at QoS 1, acknowledged once Kafka has it: a queue of messages at the broker is drained, by the whole connector
process, by Telegraf and by bare paho, one after another in the same run."""

import subprocess
import sys

from bench.cluster import Failed
from bench.connectors import telegraf
from bench.connectors.job import DEADLINE_S, Drained, Job, fill
from bench.figures import Bench, Figure, median
from uns.local.mqtt import Mqtt
from uns.local.registry import Registry

PACKS = (1, 20)
"""Samples a message."""


def measure(bench: Bench) -> list[Figure]:
    folder = bench.cluster.folder / "mqtt"
    environ = {"UNS_BOOTSTRAP": bench.cluster.bootstrap}
    with Mqtt(folder / "broker") as broker, Registry(folder / "registry", environ) as registry:
        if not broker.persistent:
            raise Failed("mosquitto is not installed: nothing queues for a session that is away")
        environ["UNS_REGISTRY"] = registry.address
        peer, why = _peer()
        figures = []
        for pack in PACKS:
            ours: list[Drained] = []
            theirs: list[Drained] = []
            bare: list[Drained] = []
            for run in range(bench.runs):
                name = f"p{pack}r{run}"
                job = Job(folder / name, name, broker.address, environ)
                job.subscribe()
                fill(broker.address, job.topic, bench.records, pack)
                ours.append(job.drain(bench.records * pack))
                bare.append(_bare(name, broker.address, bench.records, pack))
                if peer is not None:
                    theirs.append(peer.drain(bench.cluster, name, broker.address, bench.records, pack))
                bench.keep(f"mqtt {pack}", ours=ours[-1], bare=bare[-1], telegraf=theirs[-1:])
            figures += _figures(pack, ours, theirs, bare, why)
        return figures


def _peer() -> tuple[telegraf.Telegraf | None, str]:
    """Telegraf, or why there is none."""
    try:
        return telegraf.Telegraf(), ""
    except Failed as error:
        return None, str(error)


def _figures(pack: int, ours: list[Drained], theirs: list[Drained], bare: list[Drained], why: str) -> list[Figure]:
    rate, plain = median([one.rate for one in ours]), median([one.rate for one in bare])
    core, peer = median([one.core_rate for one in ours]), median([one.core_rate for one in theirs])
    plain_core = median([one.core_rate for one in bare])
    peer_rate = median([one.rate for one in theirs])
    assert rate is not None
    assert plain is not None
    assert core is not None
    assert plain_core is not None
    name = f"MQTT, {pack} a message"
    note = why if peer_rate is None else f"{peer_rate:,.0f} samples/s"
    return [
        Figure(f"{name}, acknowledged after Kafka", rate, "samples/s", 100_000 if pack == 20 else None),
        Figure(
            f"{name}, against bare paho", rate / plain, "×", 0.8 if pack == 1 else None, note=f"bare {plain:,.0f}/s"
        ),
        Figure(f"{name}, a core", core, "samples/s"),
        Figure(f"{name}, CPU against bare paho", core / plain_core, "×", note=f"bare {plain_core:,.0f}/s a core"),
        Figure(f"{name}, a core of Telegraf", peer, "samples/s", note=note),
    ]


def _bare(name: str, broker: str, messages: int, pack: int) -> Drained:
    host, _, port = broker.removeprefix("mqtt://").partition(":")
    topic = f"bare/{name}"
    command = [sys.executable, "-m", "bench.connectors.bare_mqtt", host, port, f"bare-{name}", topic]
    subprocess.run([*command, "0"], check=True, timeout=DEADLINE_S)
    fill(broker, topic, messages, pack)
    done = subprocess.run([*command, str(messages)], check=True, timeout=DEADLINE_S, capture_output=True, text=True)
    wall_s, cpu_s = map(float, done.stdout.split())
    return Drained(messages * pack / wall_s, messages * pack / cpu_s)
