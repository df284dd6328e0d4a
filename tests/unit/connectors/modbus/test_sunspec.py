from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.config import Device
from connectors.modbus.discovery import SLOW_S, Discovery, Planned
from connectors.modbus.sunspec import Found, Model, NotSunSpec, known, survey

PATH = "acme/dallas/solar/roof/inverter"


def registers(base: int, *models: tuple[int, int], end: Sequence[int] = (0xFFFF, 0)) -> dict[int, int]:
    """A device with these models (number, length), its registers all 0."""
    words = [0x5375, 0x6E53]
    for number, length in models:
        words += [number, length, *([0] * length)]
    return dict(enumerate([*words, *end], base))


def ask(device: dict[int, int], start: int, count: int) -> list[int] | None:
    wanted = range(start, start + count)
    return [device[address] for address in wanted] if all(address in device for address in wanted) else None


def found(device: dict[int, int], base: int | None = None) -> Found:
    walk = survey(base)
    start, count = next(walk)
    while True:
        try:
            start, count = walk.send(ask(device, start, count))
        except StopIteration as end:
            result: Found = end.value
            return result


def plan(device: dict[int, int], **options: object) -> tuple[list[Planned], Discovery]:
    discovery = Discovery(Device.model_validate({"path": PATH, "sunspec": {}, **options}))
    while (planned := discovery.take(ask(device, *discovery.read))) is None:
        pass
    return planned, discovery


@pytest.mark.parametrize("base", [0, 40_000, 50_000])
def test_models_are_found_wherever_they_may_begin(base: int) -> None:
    models = found(registers(base, (1, 66), (103, 50), (64_001, 7))).models
    assert models == (Model(1, base + 4, 66), Model(103, base + 72, 50), Model(64_001, base + 124, 7))


def test_models_may_begin_where_the_configuration_says() -> None:
    device = registers(1000, (1, 66))
    assert found(device, 1000).models
    with pytest.raises(NotSunSpec, match="40000, 50000, 0"):
        found(device)
    with pytest.raises(NotSunSpec, match="no SunSpec marker at 7"):
        found(device, 7)


def test_a_chain_that_breaks_says_where() -> None:
    assert found(registers(0, (1, 66), end=())) == Found((Model(1, 4, 66),), 70)
    assert found(registers(0, (1, 66), end=(0xFFFF,))) == Found((Model(1, 4, 66),), None), "one register alone"


@given(st.lists(st.integers(0, 0xFFFF), max_size=60))
def test_any_registers_end_the_walk(words: list[int]) -> None:
    found(dict(enumerate([0x5375, 0x6E53, *words])))


def test_every_known_model_has_the_length_of_the_specification() -> None:
    lengths = {
        1: 66, 101: 50, 102: 50, 103: 50, 111: 60, 112: 60, 113: 60, 120: 26, 122: 44, 124: 24,
        160: 8 + 20, 201: 105, 202: 105, 203: 105, 204: 105, 211: 124, 212: 124, 213: 124, 214: 124,
        701: 153, 713: 7, 714: 18 + 25, 802: 62,
    }  # fmt: skip
    assert set(known()) == set(lengths)
    for number, length in lengths.items():
        (whole,), _ = plan(registers(0, (number, length)))
        (longer,), _ = plan(registers(0, (number, length + 3)))
        (shorter,), _ = plan(registers(0, (number, length - 2)))
        names = [{point.tag for block in made.blocks for point in block.points} for made in (whole, longer, shorter)]
        assert names[0] >= names[2], number
        if number not in (160, 714):
            assert names[0] == names[1], number


def test_scale_factors_come_with_their_values() -> None:
    ((blocks, period_s),), _ = plan(registers(0, (103, 50)), period_s=2)
    (block,) = blocks
    points = {point.tag: point for point in block.points}
    assert period_s == 2
    assert (block.start, block.count) == (4, 50)
    assert (points["inverter.W"].address, points["inverter.W"].scale_address) == (4 + 12, 4 + 13)
    assert (points["inverter.WH"].layout.type, points["inverter.WH"].address) == ("uint32", 4 + 22)
    assert (points["inverter.St"].address, points["inverter.St"].scale_address) == (4 + 36, None)
    assert points["inverter.W"].layout.not_available == {0x8000}
    assert "inverter.W_SF" not in points


def test_what_hardly_changes_is_read_seldom() -> None:
    planned, _ = plan(registers(0, (1, 66), (103, 50)))
    assert {made.period_s for made in planned} == {1.0, SLOW_S}
    assert {point.tag for made in planned if made.period_s == SLOW_S for block in made.blocks for point in block.points} == {"common.Mn", "common.Md", "common.Opt", "common.Vr", "common.SN", "common.DA"}  # fmt: skip


def test_what_is_not_known_is_named_and_only_what_is_asked_for_is_read() -> None:
    device = registers(0, (1, 66), (64_001, 7), (103, 50), (203, 105))
    _, discovery = plan(device)
    assert [model.number for model in discovery.models] == [1, 103, 203]
    assert [model.number for model in discovery.unknown] == [64_001]
    _, discovery = plan(device, sunspec={"models": [203]})
    assert ([model.number for model in discovery.models], discovery.unknown) == ([203], [])
    with pytest.raises(NotSunSpec, match="it has 64001"):
        plan(registers(0, (64_001, 7)))
    with pytest.raises(NotSunSpec, match="none that was asked for"):
        plan(device, sunspec={"models": [160]})


def test_a_second_model_of_a_kind_has_a_number() -> None:
    ((blocks, _),), _ = plan(registers(0, (203, 105), (201, 105)))
    tags = {point.tag for block in blocks for point in block.points}
    assert {"meter.W", "meter2.W"} <= tags


def test_a_factor_too_far_from_its_value_is_read_before() -> None:
    """Ten strings of a solar generator: the factors stand before the first, the last is 200 registers behind."""
    device = registers(0, (160, 8 + 20 * 10))
    device |= {4: 0xFFFF, 5: 0xFFFE, 6: 11, 7: 0x8000}
    ((blocks, _),), _ = plan(device)
    points = {point.tag: point for block in blocks for point in block.points}
    assert all(block.count <= 125 for block in blocks)
    assert points["mppt.1.DCA"].scale_address == 4
    assert points["mppt.10.DCA"].scale_address is None
    assert str(points["mppt.10.DCA"].layout.scale) == "0.1"
    assert str(points["mppt.10.DCV"].layout.scale) == "0.01"
    assert str(points["mppt.10.DCWH"].layout.scale) == "1"
    assert "mppt.10.DCW" not in points, "10 to the 11 is no factor"
    assert "mppt.1.DCW" in points
    assert points["mppt.10.DCEvt"].address == 4 + 8 + 20 * 9 + 18
