"""`uns connector browse` and what `add` makes of it, against a real server."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncua import Server, ua

from tests.harness.opcua_server import serving
from tests.unit.uns.cli import test_plant
from tests.unit.uns.cli.test_plant import Uns
from topology.model.loader import load
from uns.model.starter import MACHINE
from uns.runtime.ports import free_port

uns = test_plant.uns
"""The fixture."""
PACKML = "http://opcfoundation.org/UA/PackML/"


async def build(server: Server) -> None:
    packml, ns = await server.register_namespace(PACKML), await server.register_namespace("urn:maker;x")
    hall = await server.nodes.objects.add_folder(ua.NodeId("hall", ns), ua.QualifiedName("Hall", ns))
    for name in ("Machine 1", "Other"):
        machine = await hall.add_object(ua.NodeId(name, ns), ua.QualifiedName(name, ns))
        status = await machine.add_object(ua.NodeId(f"{name}.s", ns), ua.QualifiedName("Status", packml))
        mode = ua.QualifiedName("UnitModeCurrent", packml)
        await status.add_variable(ua.NodeId(f"{name}.mode", ns), mode, 1, ua.VariantType.Int32)
        speed = await machine.add_variable(ua.NodeId(f"{name}.speed", ns), ua.QualifiedName("Speed", ns), 1.5)
        unit = ua.EUInformation(DisplayName=ua.LocalizedText("m/s"))
        await speed.add_property(ua.NodeId(f"{name}.unit", ns), ua.QualifiedName("EngineeringUnits", 0), unit)
        await speed.write_attribute(
            ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText("of the belt")))
        )


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(build) as address:
        yield address


def test_what_a_server_has_is_listed(uns: Uns, url: str) -> None:
    code, out, err = uns("connector", "browse", "opcua", url, "--json")
    assert code == 0, err
    found = {(one["machine"], one["tag"]): one for one in map(json.loads, out.splitlines())}
    assert set(found) == {(m, t) for m in ("Machine 1", "Other") for t in ("Speed", "Status.UnitModeCurrent")}
    assert found["Machine 1", "Speed"] == {
        "machine": "Machine 1",
        "tag": "Speed",
        "address": "nsu=urn:maker%3Bx;s=Machine 1.speed",
        "type": "Double",
        "unit": "m/s",
        "sample": 1.5,
        "description": "of the belt",
        "roles": {},
    }
    assert "! 2 properties of variables" in err
    assert "variables that OPC UA itself defines" in err


def test_the_other_name_a_filter_and_a_bound(uns: Uns, url: str) -> None:
    code, out, err = uns("opcua", "browse", url, "--filter", "other.*")
    assert code == 0
    assert [line.partition("  ")[0] for line in out.splitlines()] == ["Other.Speed", "Other.Status.UnitModeCurrent"]
    assert "! 2 fit no --filter" in err
    assert "# Double, m/s, now 1.5, of the belt" in out
    code, out, err = uns("opcua", "browse", url, "--most", 1)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "! there are more than 1" in err
    assert uns("opcua", "browse", url, "--filter", "nothing")[0] == 1


def test_the_way_by_a_table(uns: Uns, url: str, tmp_path: Path) -> None:
    plant, table = tmp_path / "plant", tmp_path / "t.csv"
    assert uns("init", plant)[0] == 0
    assert uns("connector", "browse", "opcua", url, "--csv", table)[1] == f"wrote {table}: 4 tags\n"
    rows = list(csv.DictReader(table.open()))
    kept = [one | {"machine": MACHINE, "tag": one["tag"].lower()} for one in rows if one["machine"] == "Other"]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(kept)
    code, out, err = uns("connector", "add", "opcua", "more", "--url", url, "--plant", plant, "--csv", table)
    assert code == 0, err
    assert f"it reads {MACHINE}\n" in out
    (machine,) = load(plant, {}).connectors["more"].config["machines"]
    assert machine["path"] == MACHINE
    assert machine["tags"]["speed"] == "nsu=urn:maker%3Bx;s=Other.speed"
    assert set(machine["tags"]) == {"speed", "status.unitmodecurrent"}
    assert uns("lint", plant)[0] == 0


def test_a_machine_by_its_name_with_the_roles_of_its_model(uns: Uns, url: str, tmp_path: Path) -> None:
    plant = tmp_path / "plant"
    assert uns("init", plant)[0] == 0
    options = ("--url", url, "--plant", plant, "--browse", "--option", "publish_interval_ms=20")
    code, out, err = uns("connector", "add", "opcua", "more", *options)
    assert code == 0, err
    assert "! Other: 2 tags are not read" in err
    text = (plant / "connector-more.yaml").read_text()
    assert "#   Status.UnitModeCurrent: {role: mode, map: {1: production, 2: maintenance, 3: manual}}\n" in text
    assert uns("lint", plant)[0] == 0
    code, out, err = uns("connector", "try", "more", "--plant", plant, "--count", 2, "--json")
    assert {(one["tag"], one["value"]) for one in json.loads(out)["units"]} == {("Speed", 1.5), ("Status.UnitModeCurrent", 1)}  # fmt: skip
    assert uns("connector", "browse", "opcua", "more", "--plant", plant)[0] == 0


def test_what_cannot_be(uns: Uns, tmp_path: Path) -> None:
    for words, arguments in {
        "no list of what they say": ("http", "http://127.0.0.1:1"),
        "did you mean 'opcua'": ("opcau", "opc.tcp://127.0.0.1:1"),
        "cannot be reached": ("opcua", f"opc.tcp://127.0.0.1:{free_port()}"),
        "opcua: url: ": ("opcua", "http://127.0.0.1:1"),
    }.items():
        code, out, err = uns("connector", "browse", *arguments)
        assert (code, out) == (1, "")
        assert words in err
        assert "Traceback" not in err
