"""Lines to readings. Pure: `tag time value`, time in µs, value a whole number; anything else is `Malformed`."""

from connectors.base import Malformed, Reading, Said
from schemas.records import Sample
from topology.namespace.path import Path

LONG = 2**63


def decode(path: Path, line: bytes) -> Said:
    try:
        tag, at, value = line.decode().split()
        sample = Sample(tag, int(at), int(value))
        if not (0 <= sample.at < LONG and -LONG <= int(value) < LONG):
            raise ValueError("a number does not fit 64 bits")
    except ValueError:
        return Malformed("toy", line, "bad_line", "`tag time value` is expected", path)
    return Reading(path, sample)
