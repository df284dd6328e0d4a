"""`uns sink verify` of PI: all is as wanted, and what another hand took out, doubled or changed is named."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.pi_web_api import ARCHIVE, PiWebApi
from tests.harness.spoiled import Verified, told_of
from tests.integration.sinks.readback.many import PATH, stops
from tests.integration.sinks.series.writing import deliveries, some
from uns.testing.sinks import T

MINUTE = 60_000_000


@pytest.fixture
def server() -> Iterator[PiWebApi]:
    with PiWebApi().serving() as one:
        yield one


def config(server: PiWebApi) -> dict[str, Any]:
    return {"url": server.url, "data_server": ARCHIVE, "fields": {"downtime": ["reason", "revision"]}, "create": True}


def test_of_many_values_one_is_missing_one_twice_and_one_changed(server: PiWebApi, tmp_path: Path) -> None:
    def spoil() -> None:
        [point] = [point for name, point in server.points.items() if name.endswith("@10~iso22400@1.reason")]
        point.values.clear()
        [point] = [point for name, point in server.points.items() if name.endswith("@20~iso22400@1.reason")]
        point.doubled.extend(point.values)
        [point] = [point for name, point in server.points.items() if name.endswith("@30~iso22400@1.reason")]
        point.values = dict.fromkeys(point.values, "another")

    name = ".".join(PATH.split("/"))
    keys = {n: f"{name}.{PATH}#downtime@{n}~iso22400@1.reason {T + n * MINUTE:016}" for n in (10, 20, 30)}
    assert told_of(Verified("pi", config(server), tmp_path), stops(150), spoil) == [
        ("missing", keys[10]),
        ("twice", keys[20]),
        ("different", keys[30]),
    ]


def test_samples_of_any_type_and_corrections_in_points_with_other_values_between(server: PiWebApi, tmp_path: Path) -> None:  # fmt: skip
    found = deliveries(some(2_000, random.Random(7)))
    verified = Verified("pi", config(server), tmp_path)
    verified.write(found)
    count, differences, beyond = verified.differences(found)
    assert count > 2_000
    assert (differences, beyond) == ([], 0)
    half = [each for number, each in enumerate(found) if number % 6 == 0 and number % 4 != 3]
    assert verified.differences(half)[0] > 300
