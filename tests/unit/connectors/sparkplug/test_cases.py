"""The host over tests/cases/sparkplug: births as others write them, and what is read of them, value by value."""

import math
from pathlib import Path

import pytest

from connectors.base import Malformed, Reading
from connectors.sparkplug.host import Host
from tests.harness.cases import cases, document, name
from tests.unit.connectors.sparkplug.edge import T0, config
from uns.testing.connectors import check_said


@pytest.mark.parametrize("folder", cases("sparkplug"), ids=name)
def test_case(folder: Path) -> None:
    case = document(folder)
    host = Host(config({"edge": "g/n", "path": "acme/dallas"}))
    said = host.message("spBv1.0/g/NBIRTH/n", bytes.fromhex(case["payload_hex"]), T0)
    for thing in said:
        check_said(thing)
    read = {thing.sample.tag: thing.sample for thing in said if isinstance(thing, Reading)}
    assert set(read) == set(case["values"])
    for tag, value in case["values"].items():
        found = read[tag].value
        assert type(found) is type(value), tag
        assert found == value or (isinstance(found, float) and math.isnan(found) and value != value), tag
        assert read[tag].quality == case.get("qualities", {}).get(tag, 0), tag
        assert read[tag].at == 1_795_413_600_000_000 - (60_000_000 if tag == "old" else 0)
    assert [thing.reason for thing in said if isinstance(thing, Malformed)] == case.get("malformed", [])
