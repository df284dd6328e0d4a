"""MTConnect: 50 agents at 10 Hz in one connector: values and sequence numbers that are missing, what it costs."""

import subprocess
import sys

from bench.cluster import Failed
from bench.connectors.reading import read_for
from bench.figures import Bench, Figure
from connectors.base import Batch
from connectors.mtconnect.config import MtConnectConfig
from connectors.mtconnect.connector import MtConnectConnector

AGENTS, HERTZ = 50, 10


def measure(bench: Bench) -> list[Figure]:
    command = [sys.executable, "-m", "bench.connectors.mtconnect_agents", str(AGENTS), str(HERTZ)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agents:
        try:
            assert agents.stdout is not None
            ports = agents.stdout.readline().split()
            if len(ports) < AGENTS:
                raise Failed("the agents do not come up")
            missing, read, core = _read(ports, bench.seconds)
            assert agents.stdin is not None
            agents.stdin.close()
            late = int(agents.stdout.readline() or 0)
        finally:
            agents.kill()
    bench.keep("mtconnect", read=read, missing=missing, core=core, agents_late=late)
    name = f"MTConnect, {AGENTS} agents at {HERTZ} Hz, 2 data items each"
    note = f"{read:,} values; the agents were late {late} times"
    return [
        Figure(f"{name}: values and sequence numbers missing", float(missing), "values", 0, at_most=True, note=note),
        Figure(f"{name}: CPU of the connector without Kafka", core, "cores"),
    ]


def _read(ports: list[str], seconds: float) -> tuple[int, int, float]:
    """(what is missing between the first and the last of each agent and the holes that were told, values, cores)."""
    agents = [
        {"url": f"http://127.0.0.1:{port}", "machines": [{"path": f"acme/dallas/packaging/line-1/m{port}"}]}
        for port in ports
    ]
    connector = MtConnectConnector("bench", MtConnectConfig.model_validate({"agents": agents, "interval_ms": 100}))
    last: dict[str, int] = {}
    missing = 0

    def see(batch: Batch) -> None:
        nonlocal missing
        missing += len(batch.missed)
        for reading in batch.readings:
            value, path = reading.sample.value, str(reading.path)
            if reading.sample.tag == "State" and isinstance(value, int):
                missing += abs(value - last.get(path, value - 1) - 1)
                last[path] = value

    read, core = read_for(connector, seconds, see)
    if len(last) < AGENTS:
        raise Failed(f"{len(last)} of {AGENTS} agents were read")
    return missing, read, core
