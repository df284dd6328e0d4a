"""Every fault by name; importing this fills `tests.torture.case.CASES`."""

from tests.torture.case import CASES
from tests.torture.cases import broker, disk, network, recovery, schema, source, times, worker

__all__ = ["CASES", "broker", "disk", "network", "recovery", "schema", "source", "times", "worker"]
