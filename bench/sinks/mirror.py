"""The MQTT mirror at QoS 1 on mosquitto, beside paho that publishes the same bytes to the same topics in the usual way: a
thread, `publish`, as much under way as the mirror has."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.cluster import Failed
from bench.figures import Figure, median
from bench.sinks.job import Job
from schemas.records import Derived, Inputs, State
from sinks.base import Delivery
from sinks.mqtt import spec
from sinks.mqtt.plan import prepared
from topology.namespace.classes import MessageClass
from uns.local.mqtt import Mqtt

CELLS = 500
BATCH = 2_000
"""Records of a call, as the runner has it."""
MESSAGES = 50_000
REACH = 10_000
T = 1_795_000_000_000_000
_TEMPLATE = State(
    id="", path="", started_at=T, ended_at=None, definition="iso22400@1", status="final", revision=0,
    inputs=Inputs("uns.acme.dallas.packaging.raw", 3, 1_000_000, 1_000_400), state="execute", mode="production", element="APT",
)  # fmt: skip


def measure(job: Job) -> list[Figure]:
    ours: list[float] = []
    core: list[float] = []
    bare: list[float] = []
    deliveries = _deliveries(MESSAGES)
    for run in range(job.runs):
        with Mqtt(job.folder / f"broker-{run}") as broker:
            if not broker.persistent:
                raise Failed("mosquitto is not installed: amqtt is no measure")
            rate, core_rate = asyncio.run(_mirrored(broker.address, job.folder / f"state-{run}", deliveries))
            ours.append(rate)
            core.append(core_rate)
            bare.append(_bare(broker.address, job.folder / f"bare-{run}", deliveries))
    rate_, plain, core_ = median(ours), median(bare), median(core)
    assert rate_ is not None
    assert plain is not None
    return [
        Figure("MQTT mirror at QoS 1", rate_, "messages/s", REACH, note="each acknowledged, retained, in the ledger"),
        Figure("MQTT mirror, a core", core_, "messages/s"),
        Figure("MQTT mirror, against bare paho", rate_ / plain, "×", note=f"bare {plain:,.0f} messages/s"),
    ]


def _deliveries(count: int) -> list[Delivery]:
    found = []
    for number in range(count):
        path = f"acme/dallas/packaging/line-{number % CELLS // 10}/cell-{number % 10}"
        at = T + number // CELLS * 1_000_000
        record: Derived = msgspec.structs.replace(
            _TEMPLATE, id=f"{path}#state@{at}~iso22400@1:0", path=path, started_at=at
        )
        found.append(Delivery("uns.acme.dallas.packaging.state", 0, number, path, MessageClass.STATE, record, at))
    return found


async def _mirrored(url: str, folder: Path, deliveries: Sequence[Delivery]) -> tuple[float, float]:
    """Messages a second, and a second of CPU."""
    sink = spec.build("bench", spec.config.model_validate({"broker": url, "client_id": "bench"}), folder)
    await sink.open()
    try:
        begun, cpu = time.monotonic(), time.process_time()
        for begin in range(0, len(deliveries), BATCH):
            assert await sink.write(deliveries[begin : begin + BATCH], {}) == []
        return len(deliveries) / (time.monotonic() - begun), len(deliveries) / (time.process_time() - cpu)
    finally:
        await sink.close()


def _bare(url: str, file: Path, deliveries: Sequence[Delivery]) -> float:
    config = spec.config.model_validate({"broker": url, "client_id": "bench"})
    messages = [prepared(config, delivery) for delivery in deliveries]
    file.write_bytes(msgspec.json.encode([(one.topic, one.payload.decode()) for one in messages]))
    host, _, port = url.removeprefix("mqtt://").partition(":")
    command = [sys.executable, "-m", "bench.sinks.bare_publish", host, port, str(file)]
    done = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True)
    return len(deliveries) / float(done.stdout)
