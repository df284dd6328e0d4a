"""Structures of a server's own types: read by its description, and whatever the bytes are, fields or `ValueError`."""

import asyncio
import struct
import sys
from contextlib import suppress
from typing import Any

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Malformed
from connectors.opcua import spec
from connectors.opcua.structures import Description, Field, Types, described, fields_of
from tests.contract.sources import PATH
from uns.runtime.ports import free_port
from uns.testing.patience import patient

KIND = ua.StructureType


def builtin(kind: ua.VariantType) -> ua.NodeId:
    return ua.NodeId(kind.value, 0)


MOTOR, MACHINE, CHOICE, ENDLESS, MODE, GRID = (ua.NodeId(number, 2) for number in range(3001, 3007))
DOUBLE, INT, TEXT = builtin(ua.VariantType.Double), builtin(ua.VariantType.Int32), builtin(ua.VariantType.String)
TYPES = Types(
    {
        MOTOR: Description(KIND.Structure, (Field("Speed", DOUBLE, 0, False), Field("Mode", MODE, 0, False))),
        MACHINE: Description(
            KIND.StructureWithOptionalFields,
            (Field("A", INT, 0, True), Field("B", INT, 0, True), Field("Motors", MOTOR, 1, False)),
        ),
        CHOICE: Description(KIND.Union, (Field("Number", INT, 0, False), Field("Text", TEXT, 0, False))),
        ENDLESS: Description(KIND.Structure, (Field("More", ENDLESS, 1, False),)),
        GRID: Description(KIND.Structure, (Field("Cells", INT, 2, False),)),
    },
    {MODE: ua.VariantType.Int32},
)


def test_fields_by_their_description() -> None:
    motor = struct.pack("<di", 1.5, 2)
    assert fields_of(TYPES, MOTOR, motor) == {"Speed": 1.5, "Mode": 2}
    two = struct.pack("<Iii", 0b10, 7, 2) + motor * 2
    assert fields_of(TYPES, MACHINE, two) == {"A": None, "B": 7, "Motors": [{"Speed": 1.5, "Mode": 2}] * 2}
    assert fields_of(TYPES, CHOICE, struct.pack("<Ii", 2, 1) + b"x") == {"Text": "x"}
    assert fields_of(TYPES, CHOICE, struct.pack("<I", 0)) == {}
    cells = struct.pack("<i2i6i", 2, 2, 3, *range(6))
    assert fields_of(TYPES, GRID, cells) == {"Cells": [[0, 1, 2], [3, 4, 5]]}


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        (MOTOR, b""),
        (MOTOR, b"\0" * 11),
        (CHOICE, struct.pack("<I", 3)),
        (ENDLESS, struct.pack("<i", 1) * 100),
        (MACHINE, struct.pack("<Ii", 0, 2**31 - 1)),
        (GRID, struct.pack("<i3i", 3, 1000, 1000, 1000)),
        (GRID, struct.pack("<i", 1000) + b"\0" * 4000),
        (ua.NodeId(1, 3), b""),
    ],
)
def test_bytes_that_are_not_as_described(type_: ua.NodeId, body: bytes) -> None:
    with pytest.raises(ValueError, match="structure"):
        fields_of(TYPES, type_, body)


@given(st.sampled_from([MOTOR, MACHINE, CHOICE, ENDLESS, GRID]), st.binary(max_size=60))
def test_whatever_the_bytes_are(type_: ua.NodeId, body: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(fields_of(TYPES, type_, body), dict)


def test_what_is_no_description() -> None:
    assert described(ua.EnumDefinition()) is None
    assert described(None) is None
    assert described(ua.StructureDefinition(StructureType=KIND.UnionWithSubtypedValues)) is None


def test_a_server_of_another_process_describes_its_own() -> None:
    async def go() -> dict[str, Any]:
        port = free_port()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.harness.typed_server", str(port), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )  # fmt: skip
        config = {"url": f"opc.tcp://127.0.0.1:{port}", "machines": [{"path": str(PATH), "node": "ns=2;s=filler"}]}
        connector = spec.build("test", spec.config.model_validate(config))
        read: dict[str, Any] = {}
        try:
            assert child.stdout is not None
            async with asyncio.timeout(patient(60)):
                assert await child.stdout.readline() == b"up\n"
                await connector.open({})
                async for batch in connector.batches():
                    assert not [thing for thing in batch.malformed if isinstance(thing, Malformed)], batch.malformed
                    read |= {reading.sample.tag: reading.sample.value for reading in batch.readings}
                    if "Motors.1.Mode" in read and "Machine.Range.High" in read:
                        break
        finally:
            await connector.close()
            if child.returncode is None:
                child.terminate()
            await child.wait()
        return read

    assert asyncio.run(go()) == {
        "Machine.Count": 7, "Machine.Temps.0": 1.5, "Machine.Temps.1": 2.5, "Machine.Note": None, "Machine.More": -3,
        "Machine.Motor.Speed": 0.5, "Machine.Motor.Mode": 1,
        "Machine.Motors.0.Speed": 0.5, "Machine.Motors.0.Mode": 1, "Machine.Motors.1.Speed": 1.0, "Machine.Motors.1.Mode": 0,
        "Machine.Wait": 1500.5, "Machine.Range.Low": -1.0, "Machine.Range.High": 1.0,
        "Motors.0.Speed": 0.5, "Motors.0.Mode": 1, "Motors.1.Speed": 1.0, "Motors.1.Mode": 0,
    }  # fmt: skip
