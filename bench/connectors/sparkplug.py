"""Sparkplug B: decoding and the session, 20 metrics a payload by their aliases, in one thread."""

import time

from bench.figures import Bench, Figure, median
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.host import Host
from topology.sparkplug.schema import Payload

METRICS = 20
DOUBLE = 10
"""The specification's number of the datatype."""
T0_MS = 2_000_000_000_000
CONFIG = {
    "brokers": [{"url": "mqtt://127.0.0.1:1883"}],
    "host_id": "bench",
    "sources": [{"edge": "G/N", "path": "acme/dallas/packaging/line-1/filler"}],
}


def _birth() -> bytes:
    payload = Payload(seq=0, timestamp=T0_MS)
    payload.metrics.add(name="bdSeq", datatype=4, long_value=0)
    for alias in range(METRICS):
        payload.metrics.add(name=f"M{alias}", alias=alias, datatype=DOUBLE, double_value=0.0)
    return bytes(payload.SerializeToString())


def _data(number: int) -> bytes:
    payload = Payload(seq=number % 256, timestamp=T0_MS + number)
    for alias in range(METRICS):
        payload.metrics.add(alias=alias, timestamp=T0_MS + number, double_value=number + alias / 7)
    return bytes(payload.SerializeToString())


def measure(bench: Bench) -> list[Figure]:
    """Metrics a second of CPU; each run reads all of it, or it is no run."""
    messages = [_data(number) for number in range(1, max(256, bench.records // 10))]
    rates = []
    for _ in range(bench.runs):
        host = Host(SparkplugConfig.model_validate(CONFIG))
        host.connected(0, T0_MS * 1000)
        host.message("spBv1.0/G/NBIRTH/N", _birth(), T0_MS * 1000)
        begun, read = time.process_time(), 0
        for number, message in enumerate(messages, 1):
            read += len(host.message("spBv1.0/G/NDATA/N", message, (T0_MS + number) * 1000))
        took_s = time.process_time() - begun
        assert read == METRICS * len(messages), f"{read} of {METRICS * len(messages)} metrics"
        rates.append(read / took_s)
        bench.keep("sparkplug", metrics=read, cpu_s=took_s)
    return [Figure(f"Sparkplug B, {METRICS} metrics a payload, decode and session", median(rates), "metrics/s", 60_000)]
