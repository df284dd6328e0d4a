"""What is in a structure: by definitions that pycomm3 makes of templates as controllers send them."""

import struct
from typing import Any

import pytest
import yaml
from pycomm3 import LogixDriver

from connectors.base import Found, LeftOut
from connectors.ethernetip.config import EtherNetIpConfig
from connectors.ethernetip.inventory import listing, told
from connectors.ethernetip.members import NotThere, expanded
from connectors.ethernetip.wanted import Wanted
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
BOOL, SINT, DINT, REAL, BITS = 0xC1, 0xC2, 0xC4, 0xCA, 0xD3
ARRAY, STRUCTURE = 0x2000, 0x8000


class Templates:
    """Types and tags of a controller, as its bytes say."""

    def __init__(self) -> None:
        self.driver: Any = LogixDriver("127.0.0.1", init_tags=False)
        self.driver._cache = {"tag_name:id": {}, "id:struct": {}, "handle:id": {}, "id:udt": {}}
        self.tags: dict[str, Any] = {}

    def type(self, number: int, name: str, **members: tuple[int, int, int]) -> None:
        """Members: (type, length of an array or number of the bit, offset)."""
        infos = b"".join(struct.pack("<HHI", info, kind, at) for kind, info, at in members.values())
        names = b"\0".join([f"{name};n".encode(), *(member.encode() for member in members)]) + b"\0"
        template = {
            "member_count": len(members),
            "structure_size": 88,
            "object_definition_size": 40,
            "structure_handle": 1,
        }
        self.driver._cache["id:udt"][number] = self.driver._parse_template_data(
            infos + names, template, STRUCTURE | number
        )

    def tag(self, name: str, symbol_type: int, *dimensions: int) -> None:
        raw = {
            "symbol_type": symbol_type | len(dimensions) << 13,
            "software_control": 0,
            "dimensions": [*dimensions, 0, 0, 0][:3],
        }
        raw |= dict.fromkeys(("instance_id", "symbol_address", "symbol_object_address", "external_access"), 0)
        self.tags[name] = self.driver._create_tag(name, raw)

    def names(self, name: str) -> dict[str, str]:
        """Tag → what is asked for."""
        found = expanded(Wanted(PATH, "T", name, members=True), self.tags)
        assert not any(one.members for one in found)
        return {one.tag: one.name + (f"{{{one.count}}}" if one.count else "") for one in found}


@pytest.fixture
def plc() -> Templates:
    made = Templates()
    made.type(0x201, "Name20", LEN=(DINT, 0, 0), DATA=(SINT, 20, 4))
    made.type(
        0x202,
        "Motor",
        ZZZZZZZZZZMotor0=(SINT, 0, 0),
        Running=(BOOL, 0, 0),
        Speed=(REAL, 0, 4),
        Temps=(REAL, 3, 8),
        Flags=(BITS, 1, 20),
        Name=(STRUCTURE | 0x201, 0, 24),
    )
    made.type(0x203, "Station", Motor=(STRUCTURE | 0x202, 0, 0), Count=(DINT, 0, 60))
    made.type(0x204, "Empty", ZZZZZZZZZZEmpty0=(SINT, 0, 0))
    made.tag("Empty", STRUCTURE | 0x204)
    made.tag("Speed", REAL)
    made.tag("Motor", STRUCTURE | 0x202)
    made.tag("Stations", STRUCTURE | 0x203, 4)
    made.tag("Grid", DINT, 2, 3)
    made.tag("Bits", BITS, 2)
    made.tag("Long", DINT, 65)
    made.tag("Cube", DINT, 10, 10)
    made.tag("Program:Main.Count", DINT)
    return made


def test_structures_become_their_members(plc: Templates) -> None:
    assert plc.names("Motor") == {
        "T.Running": "Motor.Running",
        "T.Speed": "Motor.Speed",
        "T.Temps": "Motor.Temps[0]{3}",
        "T.Flags": "Motor.Flags[0]{1}",
        "T.Name": "Motor.Name",
    }
    assert plc.names("Motor.Temps") == {"T": "Motor.Temps[0]{3}"}
    assert plc.names("Stations[2].Motor.Temps[1]") == {"T": "Stations[2].Motor.Temps[1]"}


def test_arrays_of_structures_have_their_places(plc: Templates) -> None:
    found = plc.names("Stations[3]")
    assert found["T.Count"] == "Stations[3].Count"
    assert found["T.Motor.Speed"] == "Stations[3].Motor.Speed"
    assert plc.names("Grid") == {f"T.{x}.{y}": f"Grid[{x},{y}]" for x in range(2) for y in range(3)}


def test_texts_and_bits_are_known(plc: Templates) -> None:
    found = {one.tag: one for one in expanded(Wanted(PATH, "T", "Motor", members=True), plc.tags)}
    assert found["T.Name"].text
    assert found["T.Flags"].bits
    assert [point.tag for point in found["T.Flags"].points][-1] == "T.Flags.31"
    assert plc.names("Bits") == {"T": "Bits[0]{2}"}


def test_what_is_one_value_stays_one(plc: Templates) -> None:
    assert plc.names("Speed") == {"T": "Speed"}
    assert plc.names("Program:Main.Count") == {"T": "Program:Main.Count"}


@pytest.mark.parametrize(
    "name", ["Nope", "Motor.Nope", "Speed.x", "Program:Main", "Program:Main.Nope", "Long", "Cube", "Stations", "Empty"]
)
def test_what_is_not_there_or_too_much_is_said(plc: Templates, name: str) -> None:
    with pytest.raises(NotThere, match=r"has no |at most 64"):
        plc.names(name)


def test_what_a_controller_has_becomes_the_connector_that_reads_it(plc: Templates) -> None:
    plc.tag("Hidden", DINT)
    plc.tags["Hidden"]["external_access"] = "None"
    stream = list(told(plc.tags))
    found = {one.address: one for one in stream if isinstance(one, Found)}
    assert set(found) == {"Speed", "Motor", "Grid", "Bits", "Program:Main.Count"}
    left_out = " ".join(one.what for one in stream if isinstance(one, LeftOut))
    assert all(name in left_out for name in ("Hidden", "Long", "Cube", "Stations"))
    assert (found["Program:Main.Count"].machine, found["Program:Main.Count"].tag) == ("Main", "Count")
    assert [found[name].type for name in ("Speed", "Motor", "Grid")] == ["REAL", "Motor", "DINT[2,3]"]
    own = {"url": "tcp://10.0.0.5:44818", "slot": 2, "machines": [{"path": str(PATH), "tags": {"A": {}}}]}
    config = EtherNetIpConfig.model_validate({"plcs": [own]})
    written = EtherNetIpConfig.model_validate(yaml.safe_load(listing(config, {str(PATH): list(found.values())})))
    assert (written.plcs[0].url, written.plcs[0].slot) == ("tcp://10.0.0.5:44818", 2)
    wanted = {one.tag: (one.name, one.members) for _, one in written.wanted(written.plcs[0])}
    assert wanted == {
        "Speed": ("Speed", False),
        "Motor": ("Motor", True),
        "Grid": ("Grid", True),
        "Bits": ("Bits", True),
        "Count": ("Program:Main.Count", False),
    }
