"""OPC UA: 10,000 nodes at 1 Hz in one subscription's connector: what is lost, what it costs."""

import subprocess
import sys

import psutil

from bench.cluster import Failed
from bench.connectors.reading import read_for
from bench.figures import Bench, Figure
from connectors.base import Batch
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connector import OpcUaConnector
from uns.runtime.ports import free_port

NODES = 10_000


def measure(bench: Bench) -> list[Figure]:
    port = free_port()
    command = [sys.executable, "-m", "bench.connectors.opcua_server", str(port), str(NODES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            if server.stdout.readline().strip() != "ready":
                raise Failed("the server does not come up")
            lost, read, core, rss_mb = _read(port, bench.seconds)
            assert server.stdin is not None
            server.stdin.close()
            late = int(server.stdout.readline() or 0)
        finally:
            server.kill()
    name = f"OPC UA, {NODES} nodes at 1 Hz"
    note = f"{read:,} values; the server was late {late} times"
    return [
        Figure(f"{name}: values lost", float(lost), "values", 0, at_most=True, note=note),
        Figure(f"{name}: CPU of the connector without Kafka", core, "cores", 0.6, at_most=True),
        Figure(f"{name}: memory of the connector", rss_mb, "MB", 300, at_most=True),
    ]


def _read(port: int, seconds: float) -> tuple[int, int, float, float]:
    """(values that are missing between the first and the last of each node, values, cores, MB)."""
    config = {
        "url": f"opc.tcp://127.0.0.1:{port}",
        "timeout_s": 30,
        "machines": [{"path": "acme/dallas/packaging/line-1/machine", "node": "ns=2;s=machine"}],
    }
    connector = OpcUaConnector("bench", OpcUaConfig.model_validate(config))
    last: dict[str, int] = {}
    lost = 0

    def see(batch: Batch) -> None:
        nonlocal lost
        for reading in batch.readings:
            tag, value = reading.sample.tag, reading.sample.value
            assert isinstance(value, int)
            lost += value - last.get(tag, value - 1) - 1
            last[tag] = value

    read, core = read_for(connector, seconds, see)
    if len(last) < NODES:
        raise Failed(f"{len(last)} of {NODES} nodes were read")
    return lost, read, core, psutil.Process().memory_info().rss / 1e6
