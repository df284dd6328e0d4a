"""PI Web API, as its reference has it: the status of each value decides its record, points are found or made."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.records import Oee, Order, Sample, Samples, Value
from sinks.base import Delivery, LeftBehind, Rejected, Retryable, Sink, Unwritten
from sinks.pi import spec
from tests.harness.pi_web_api import ARCHIVE, PiPoint, PiWebApi
from tests.harness.records import EXAMPLES
from tests.integration.sinks.series.writing import PATHS, T, deliveries
from topology.namespace.classes import MessageClass

NAME = PATHS[0].replace("/", ".")
AT = "2026-11-18T11:06:40.000000Z"


@pytest.fixture
def server() -> Iterator[PiWebApi]:
    with PiWebApi().serving() as found:
        yield found


def write(server: PiWebApi, folder: Path, found: list[Delivery], **more: Any) -> list[Unwritten]:
    config = {"url": server.url, "data_server": ARCHIVE, **more}
    sink: Sink = spec.build("pi", spec.config.model_validate(config), folder)

    async def go() -> list[Unwritten]:
        await sink.open()
        try:
            return list(await sink.write(found, {}))
        finally:
            await sink.close()

    return asyncio.run(go())


def samples(*found: Sample) -> list[Delivery]:
    return deliveries([(PATHS[0], Samples("plc", n, (one,))) for n, one in enumerate(found)])


@pytest.mark.parametrize("flat", [False, True], ids=["by stream", "flat"])
def test_of_a_207_the_refused_values_alone_are_refused(server: PiWebApi, tmp_path: Path, flat: bool) -> None:
    server.flat = flat
    server.points = {
        f"{NAME}.Mode": PiPoint("Digital", ("stopped", "execute")),
        f"{NAME}.Speed": PiPoint("Float64"),
        f"{NAME}.Locked": PiPoint("Float64", writable=False),
    }
    modes: list[Value] = ["execute", "strange", "stopped", 1, 7]
    found = samples(
        *(Sample("Mode", T + n, mode) for n, mode in enumerate(modes)),
        *(Sample("Speed", T + n, n / 7) for n in range(5)),
        Sample("Locked", T, 1.0),
    )
    unwritten = write(server, tmp_path, found)
    assert {each.delivery.offset: each.message for each in unwritten} == {
        1: "400 Digital State Not Found.",
        4: "400 Digital State Not Found.",
        10: "403 Secure object - Insufficient privileges.",
    }
    assert all(isinstance(each, Rejected) and each.reason == "http_207" for each in unwritten)
    assert list(server.points[f"{NAME}.Mode"].values.values()) == ["execute", "stopped", 1]
    assert len(server.points[f"{NAME}.Speed"].values) == 5


def test_a_point_that_is_missing_is_named_or_made_once(server: PiWebApi, tmp_path: Path) -> None:
    found = samples(Sample("Speed", T, 1.5), Sample("Name", T, "cola"), Sample("On", T, True), Sample("None", T, None))
    unwritten = write(server, tmp_path, found)
    assert [each.reason for each in unwritten if isinstance(each, Rejected)] == ["no_point"] * 4
    assert f"no point '{NAME}.Speed' on PI1" in unwritten[0].message
    [none] = write(server, tmp_path, found, create=True)
    assert "does not say of which type" in none.message
    assert {name: point.type for name, point in server.points.items()} == {
        f"{NAME}.Speed": "Float64",
        f"{NAME}.Name": "String",
        f"{NAME}.On": "Int16",
    }
    assert [rejected.message for rejected in write(server, tmp_path, samples(Sample("Speed", T + 1, "text")))] == [
        f"{NAME}.Speed: a str cannot be a value of a point of type Float64"
    ]


def test_what_was_taken_back_is_gone(server: PiWebApi, tmp_path: Path) -> None:
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    newer = replace(hour, id=f"{hour.natural_id}:1", revision=1, oee=0.9, availability=None)
    gone = replace(hour, id=f"{hour.natural_id}:2", revision=2, ended_at=hour.started_at)
    fields = {"oee": ["oee", "availability"]}
    held = []
    for number, record in enumerate((hour, newer, gone)):
        found = [Delivery("t", 0, number, hour.path, MessageClass.OEE, record, T)]
        assert write(server, tmp_path, found, fields=fields, create=True) == []
        held.append({name.rpartition(".")[2]: point[AT] for name, point in server.content().items()})
    assert held == [{"oee": 0.4, "availability": 0.5}, {"oee": 0.9}, {}]


def test_what_no_field_asks_for_is_left_behind(server: PiWebApi, tmp_path: Path) -> None:
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    found = [
        Delivery("t", 0, 0, hour.path, MessageClass.OEE, hour, T),
        Delivery("t", 0, 1, hour.path, MessageClass.RAW, Order(id="1", product="cola", started_at=T), T),
    ]
    assert [type(each) for each in write(server, tmp_path, found)] == [LeftBehind, LeftBehind]
    assert server.requests == 0


def test_an_archive_that_is_not_there_is_named(server: PiWebApi, tmp_path: Path) -> None:
    with pytest.raises(Retryable, match="check url and data_server"):
        write(server, tmp_path, samples(Sample("Speed", T, 1.5)), data_server="PI2", create=True)
