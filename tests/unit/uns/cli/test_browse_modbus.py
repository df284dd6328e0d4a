"""`uns connector browse modbus`, and what `add` makes of it: a device that says by SunSpec what it has."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.unit.uns.cli import test_plant
from tests.unit.uns.cli.test_plant import Uns
from uns.runtime.ports import free_port
from uns.testing.patience import patient

uns = test_plant.uns
"""The fixture."""
NONE_16, NONE_32 = 0x8000, [0xFFFF, 0xFFFF]


def words(text: str, registers: int) -> list[int]:
    raw = text.encode().ljust(2 * registers, b"\0")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def inverter() -> list[int]:
    """Models 1 and 103 and a maker's own, as SunSpec lays them out: 4,012 W, 50.01 Hz, 1,234,567 Wh."""
    common = [*words("Acme", 16), *words("SUN-5", 16), *words("", 8), *words("1.2", 8), *words("77-A", 16), 1, 0]
    volts = [0xFFFF, 0xFFFF, 0xFFFF, 2301, 2302, 2303, 0xFFFF]
    power = [4012, 0, 5001, 0xFFFE, 4020, 0, NONE_16, 0, 100, 0, *divmod(1_234_567, 65_536), 0]
    direct = [0xFFFF, NONE_16, 0xFFFF, NONE_16, NONE_16, NONE_16]
    heat = [421, NONE_16, NONE_16, NONE_16, 0xFFFF]
    three = [170, 57, 57, 56, 0xFFFF, *volts, *power, *direct, *heat, 4, 0, *[0] * 4, *NONE_32 * 4]
    assert (len(common), len(three)) == (66, 50)
    return [0x5375, 0x6E53, 1, 66, *common, 103, 50, *three, 64_001, 2, 0, 0, 0xFFFF, 0]


@contextmanager
def serving(device: int, registers: list[int]) -> Iterator[str]:
    """The address of a server whose unit has these registers from 40,000 on."""
    port, loop, ready, over = free_port(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        data = SimData(40_000, values=registers, datatype=DataType.REGISTERS)
        server = ModbusTcpServer(SimDevice(device, [data]), address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        ready.set()
        await over.wait()
        await server.shutdown()  # type: ignore[no-untyped-call]

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(patient(20))
        yield f"tcp://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(patient(20))
        loop.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(126, inverter()) as address:
        yield address


def test_what_a_device_has_is_listed(uns: Uns, url: str) -> None:
    code, out, err = uns("connector", "browse", "modbus", url, "--json")
    assert code == 0, err
    found = {one["tag"]: one for one in map(json.loads, out.splitlines())}
    assert {one["machine"] for one in found.values()} == {"SUN-5 77-A"}
    assert found["inverter.W"] | {"roles": {}} == {
        "machine": "SUN-5 77-A",
        "tag": "inverter.W",
        "address": f"{url} unit 126 register 40084",
        "type": "int16",
        "unit": None,
        "sample": 4012,
        "description": "",
        "roles": {},
    }
    samples = {tag: found[f"inverter.{tag}"]["sample"] for tag in ("Hz", "PhVphA", "WH", "TmpCab", "VAr")}
    assert samples == {"Hz": 50.01, "PhVphA": 230.1, "WH": 1_234_567, "TmpCab": 42.1, "VAr": None}
    assert "unit 126: model 64001 at 40122 is not known" in err
    assert "unit 1:" in err, "the other usual unit was asked, too, and is no SunSpec device"


def test_what_was_chosen_is_read_and_nothing_else(uns: Uns, url: str, tmp_path: Path) -> None:
    plant = tmp_path / "plant"
    assert uns("init", plant)[0] == 0
    code, out, err = uns(
        "connector", "add", "modbus", "roof", "--url", url, "--plant", plant, "--browse",
        "--filter", "*.inverter.w", "--filter", "*.inverter.hz",
    )  # fmt: skip
    assert code == 0, err
    text = (plant / "connector-roof.yaml").read_text()
    assert '- "inverter.W" # int16, now 4012\n' in text
    (link,) = yaml.safe_load(text)["connectors"]["roof"]["config"]["links"]
    assert (link["url"], link["devices"][0]["unit"]) == (url, 126)
    assert link["devices"][0]["sunspec"] == {"tags": ["inverter.W", "inverter.Hz"]}
    assert uns("lint", plant)[0] == 0
    code, out, err = uns("connector", "try", "roof", "--plant", plant, "--count", 2, "--json")
    assert {(one["tag"], one["value"]) for one in json.loads(out)["units"]} == {("inverter.W", 4012), ("inverter.Hz", 50.01)}  # fmt: skip
    code, out, err = uns("connector", "browse", "modbus", "roof", "--plant", plant, "--json")
    assert (code, "unit 1:" in err) == (0, False), "the model says which unit it is"


def test_a_table_that_was_edited_is_read(uns: Uns, url: str, tmp_path: Path) -> None:
    plant, table = tmp_path / "plant", tmp_path / "found.csv"
    assert uns("init", plant)[0] == 0
    assert uns("connector", "browse", "modbus", url, "--csv", table)[0] == 0
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head, *(row for row in rows if ",inverter.WH," in row)]))
    code, _, err = uns("connector", "add", "modbus", "roof", "--url", url, "--plant", plant, "--csv", table)
    assert code == 0, err
    (link,) = yaml.safe_load((plant / "connector-roof.yaml").read_text())["connectors"]["roof"]["config"]["links"]
    assert link["devices"][0]["sunspec"] == {"tags": ["inverter.WH"]}


def test_a_device_that_cannot_say_is_told_what_to_do(uns: Uns) -> None:
    with serving(1, [0] * 20) as address:
        code, out, err = uns("connector", "browse", "modbus", address)
    assert (code, out) == (1, "")
    assert "list it as `tags`" in err
    code, _, err = uns("connector", "browse", "modbus", f"tcp://127.0.0.1:{free_port()}")
    assert code == 1
    assert "cannot be reached" in err
