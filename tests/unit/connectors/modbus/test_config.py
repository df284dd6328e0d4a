from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.modbus.config import Link, ModbusConfig, Tag
from connectors.modbus.point import Layout
from topology.namespace.path import Path

PATH = "acme/dallas/packaging/line-1/filler"


def config(device: dict[str, Any], **options: Any) -> ModbusConfig:
    links = [{"url": "tcp://10.0.0.7:502", "devices": [{"path": PATH, **device}]}]
    return ModbusConfig.model_validate({"links": links, **options})


def test_a_tag_becomes_a_point() -> None:
    tags = {"T": {"address": 10, "type": "int16", "scale": 0.1, "offset": -273.15, "not_available": [-1, 0x8000]}}
    (point,) = config({"word_order": "little", "tags": tags}).points(config({"word_order": "little", "tags": tags}).links[0].devices[0])  # fmt: skip
    assert point.path == Path.parse(PATH)
    assert point.layout == Layout(
        "int16",
        1,
        word_order="little",
        scale=Decimal("0.1"),
        offset=Decimal("-273.15"),
        not_available=frozenset({0xFFFF, 0x8000}),
    )


def test_addresses_may_be_counted_from_one() -> None:
    made = config({"counted_from": 1, "tags": {"A": {"address": 1}, "B": {"address": 65_536, "scale_address": 65_535}}})
    assert [(point.address, point.scale_address) for point in made.points(made.links[0].devices[0])] == [
        (0, None),
        (65_535, 65_534),
    ]


def test_a_map_is_shared_and_a_device_may_differ() -> None:
    made = config(
        {"map": "meter", "tags": {"B": {"address": 7}}},
        maps={"meter": {"A": {"address": 1}, "B": {"address": 2}}},
    )
    assert {point.tag: point.address for point in made.points(made.links[0].devices[0])} == {"A": 1, "B": 7}
    assert made.literal_paths() == (Path.parse(PATH),)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ({"address": 1, "type": "bool"}, "`bit` goes with bool and bits"),
        ({"address": 1, "bit": 3}, "`bit` goes with bool and bits"),
        ({"address": 1, "type": "bool", "bit": 16}, "do not fit 16 bits"),
        ({"address": 1, "type": "bits", "bit": 3}, "`width` goes with bits"),
        ({"address": 1, "type": "bits", "bit": 12, "width": 5}, "do not fit 16 bits"),
        ({"address": 1, "type": "int32", "words": 2}, "`words` goes with"),
        ({"address": 1, "type": "bcd", "words": 5}, "at most 4 registers"),
        ({"address": 1, "type": "string", "scale": 2}, "goes with numbers"),
        ({"address": 1, "scale": 2, "scale_address": 2}, "stands alone"),
        ({"address": 1, "not_available": [65_536]}, "does not fit 16 bits"),
        ({"address": 1, "scale": float("nan")}, "finite"),
        ({"address": 1, "table": "coil", "type": "int16"}, "a coil is a bool"),
        ({"address": 1, "table": "discrete", "bit": 1}, "a discrete is a bool"),
        ({"address": 65_536}, "outside"),
        ({"address": 65_535, "type": "int32"}, "outside"),
        ({"address": 1, "scale_address": 300}, "do not come in one answer"),
    ],
)
def test_a_tag_that_cannot_be_is_refused(tag: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config({"tags": {"A": tag}})


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({}, "give `tags`, a `map` or `sunspec`"),
        ({"map": "meter"}, "there is no map 'meter'"),
        ({"tags": {"": {"address": 1}}}, "no name of a tag"),
        ({"counted_from": 1, "tags": {"A": {"address": 0}}}, "outside"),
        ({"unit": 256, "tags": {"A": {"address": 0}}}, "255"),
    ],
)
def test_a_device_that_cannot_be_is_refused(device: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(device)


def test_two_devices_cannot_say_the_same_tag() -> None:
    device = {"path": PATH, "tags": {"A": {"address": 1}}}
    with pytest.raises(ValidationError, match="the tag A is there twice"):
        ModbusConfig.model_validate({"links": [{"url": "tcp://10.0.0.7", "devices": [device, {**device, "unit": 2}]}]})
    with pytest.raises(ValidationError, match="stands twice"):
        ModbusConfig.model_validate({"links": [{"url": "tcp://10.0.0.7", "devices": [device]}] * 2})


def test_sunspec_stands_once_at_a_unit() -> None:
    devices = [{"path": f"acme/dallas/solar/{name}", "sunspec": {}} for name in "ab"]
    with pytest.raises(ValidationError, match="same unit"):
        ModbusConfig.model_validate({"links": [{"url": "tcp://10.0.0.7", "devices": devices}]})


def link(url: str, unit: int = 1) -> Link:
    return Link.model_validate({"url": url, "devices": [{"path": PATH, "unit": unit, "tags": {"A": {"address": 1}}}]})


def test_links_are_tcp_rtu_over_tcp_or_a_line() -> None:
    tcp, gateway, line, windows = map(
        link, ("tcp://10.0.0.7", "rtu+tcp://10.0.0.7:4001", "serial:///dev/ttyUSB0", "serial:COM3")
    )
    assert (tcp.host, tcp.port, tcp.rtu, tcp.line) == ("10.0.0.7", 502, False, None)
    assert (gateway.port, gateway.rtu, gateway.line) == (4001, True, None)
    assert (line.line, windows.line, line.rtu) == ("/dev/ttyUSB0", "COM3", True)


@pytest.mark.parametrize("url", ["10.0.0.7", "http://10.0.0.7", "serial:", "serial://", "tcp://", "tcp://h:x"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        link(url)


def test_nobody_answers_to_unit_0_of_a_line() -> None:
    assert link("tcp://10.0.0.7", unit=0)
    with pytest.raises(ValidationError, match="unit 0 is everybody"):
        link("serial:///dev/ttyUSB0", unit=0)


def test_a_type_has_a_default_by_its_table() -> None:
    assert Tag(address=1).kind == "uint16"
    assert Tag(address=1, table="coil").kind == "bool"
