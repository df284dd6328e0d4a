"""`uns fold` by worked examples: published ones with their source."""

from typing import Any

import pytest

from tests.harness.fold_files import CELL, fact, folded, minutes, only, plant, samples, whole

HOUR = 3_600_000_000


def run(from_: str, to: str, stops: list[tuple[str, str]], good: int, scrap: int) -> list[dict[str, Any]]:
    """A machine that ran but for some stops, and what it made."""
    told = [samples(from_, State="RUN", Good=0, Scrap=0), samples(to, Good=good, Scrap=scrap)]
    return [*told, *(samples(a, State="STOP") for a, _ in stops), *(samples(b, State="RUN") for _, b in stops)]


def percents(record: Any) -> tuple[float, ...]:
    return tuple(round(100 * r, 2) for r in (record.availability, record.performance, record.quality, record.oee))


def test_the_classical_worksheet() -> None:
    """Vorne Industries, "Calculating OEE" (oee.com): 8 h shift, breaks 2 × 15 and 30 min, 47 min down, 60 pieces/min."""
    breaks = [("08:00", "08:15"), ("10:00", "10:30"), ("12:00", "12:15")]
    shift = fact("Shift", id="s", name="early", started_at="06:00", ended_at="14:00", breaks=breaks)
    found = folded(plant(), shift, *run("06:00", "14:00", [("09:00", "09:47")], 19_271 - 423, 423))
    window = only(found, "oee", window="shift")
    assert minutes(window) == {"PDOT": 60, "APT": 373, "ADOT": 47}
    assert (window.good, window.scrap) == (18_848, 423)
    assert percents(window) == (88.81, 86.11, 97.80, 74.79)
    assert not found.refused


def test_a_filled_in_worksheet() -> None:
    """The same worksheet as someone filled it in (copy of 2002-2005 on scribd.com, document 436966062).

    54 h; 6 × 60 and 10 × 10 min planned stops; 960 min down; 1.041 pieces/min; 1,626 pieces, 8 rejects. The last two
    ratios are cut, not rounded, there.
    """
    day = "2026-11-24"
    breaks = [(f"{day}T{hour:02}:00", f"{day}T{hour + 1:02}:00") for hour in range(0, 12, 2)]
    breaks += [(f"{day}T{hour}:00", f"{day}T{hour}:10") for hour in range(13, 23)]
    shift = fact("Shift", id="s", name="long", started_at="00:00", ended_at="2026-11-25T06:00", breaks=breaks)
    told = run("00:00", "2026-11-25T06:00", [("00:10", "16:10")], 1_618, 8)
    window = only(folded(plant(ideal_cycle_s=60 / 1.041), shift, *told), "oee", window="shift")
    assert minutes(window) == {"PDOT": 460, "ADOT": 960, "APT": 1_820}
    assert percents(window)[:2] == (65.47, 85.82)
    assert (int(1e4 * window.quality), int(1e4 * window.oee)) == (9950, 5590)


def test_the_press_of_week_17() -> None:
    """TPM: A Route to World-Class Performance (Willmott, McCarthy), p. 127: 910 min, 127 min down, 203 cycles of 3 min."""
    shift = fact("Shift", id="s", name="tue", started_at="06:00", ended_at="21:10")
    found = folded(plant(ideal_cycle_s=180), shift, *run("06:00", "21:10", [("07:00", "09:07")], 203, 0))
    window = only(found, "oee", window="shift")
    assert minutes(window) == {"APT": 783, "ADOT": 127}
    assert round(100 * window.availability, 1) == 86.0
    assert window.performance == 203 / 261


MODES = {"Mode": {"role": "mode", "map": {1: "production", 4: "setup"}}}
TAGS = plant().types["filler"].model_dump()["tags"]


def test_the_time_model_of_iso_22400() -> None:
    """Elements as OPC 40001-1, Annex C.2, reads ISO 22400-2: a stop is delay (ADET) with an order, down (ADOT) without.

    KPIs by the formulas of ISO 22400-2 as published in secondary sources.
    """
    breaks = [("10:00", "10:30")]
    told = [
        fact("Shift", id="s", name="early", started_at="06:00", ended_at="14:00", breaks=breaks),
        fact("Order", id="o", product="p", started_at="06:00", ended_at="12:00"),
        fact("Reason", CELL, id="r", code=201, started_at="09:00", by="ann"),
        samples("06:00", State="STOP", Mode=4, Good=0, Scrap=0),
        samples("06:30", State="RUN", Mode=1),
        samples("09:00", State="STOP"),
        samples("09:20", State="RUN"),
        samples("12:00", State="STOP", Good=250, Scrap=10),
    ]
    found = whole(folded(plant(definition="iso22400@2", ideal_cycle_s=60, tags=TAGS | MODES), *told))
    window = only(found, "kpi", window="shift")
    assert minutes(window) == {"AUST": 30, "APT": 280, "ADET": 20, "ADOT": 120, "PDOT": 30}
    pbt, aupt, aubt = 450, 310, 330
    expected = {
        "availability": 280 / pbt,
        "performance": 260 / 280,
        "quality": 250 / 260,
        "oee": 250 / pbt,
        "nee": aupt / pbt * 250 / 280,
        "teep": 250 / 480,
        "ooe": 250 / 480,
        "allocation_efficiency": aubt / pbt,
        "utilisation_efficiency": 280 / aubt,
        "setup_ratio": 30 / aupt,
        "technical_efficiency": 280 / 300,
        "scrap_ratio": 10 / 260,
        "mttr": 20,
        "mtbf": 330 / 60,
        "mttf": 310 / 60,
    }
    assert {name: window.values[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    order = only(found, "kpi", window="order")
    assert order.values["throughput_rate"] == pytest.approx(260 / 6, rel=1e-12)
    assert order.values["allocation_ratio"] == pytest.approx(aubt / 360, rel=1e-12)
    assert minutes(only(found, "kpi", window="product")) == minutes(order)


def test_the_six_big_losses_of_tpm() -> None:
    """euromotor.org, "Introduction to TPM", worked example: 480 min, 20 planned, 3 × 20 down, 400 made, 8 rejected."""
    reasons = {
        1: {"name": "motor", "category": "breakdown"},
        2: {"name": "tool change", "category": "setup"},
        3: {"name": "adjustment", "category": "setup"},
    }
    stops = [("08:00", "08:20"), ("09:00", "09:20"), ("12:00", "12:20")]
    told = [
        fact("Shift", id="s", name="day", started_at="06:00", ended_at="14:00", breaks=[("10:00", "10:20")]),
        *(fact("Reason", CELL, id=str(n), code=n, started_at=a, by="ann") for n, (a, _) in enumerate(stops, 1)),
        *run("06:00", "14:00", stops, 392, 8),
    ]
    model = plant(definition="nakajima@1", ideal_cycle_s=30, reasons=reasons)
    window = only(whole(folded(model, *told)), "kpi", window="shift")
    assert minutes(window) == {"RUN": 400, "BREAKDOWN": 20, "SETUP": 40, "PLANNED": 20}
    found = {name: window.values[name] for name in ("availability", "performance", "quality", "oee")}
    assert found == pytest.approx({"availability": 400 / 460, "performance": 0.5, "quality": 0.98, "oee": 196 / 460})
    assert round(100 * found["oee"], 1) == 42.6
    losses = [
        window.values[f"loss_{name}"] for name in ("breakdown", "setup", "minor_stops", "speed", "defects", "start_up")
    ]
    assert losses == [20, 40, 0, 200, 4, 0]
    assert sum(window.loss_us.values()) == 460 * 60_000_000


def test_a_semiconductor_tool() -> None:
    """calcsimpler.com, "Semiconductor Tool OEE", first example: 24 h, 2 h down, 180 s a wafer, 400 wafers, 12 scrap."""
    told = run("2026-11-24T00:00", "2026-11-25T00:00", [("2026-11-24T04:00", "2026-11-24T06:00")], 388, 12)
    reason = fact("Reason", CELL, id="r", code=201, started_at="2026-11-24T04:00", by="ann")
    found = whole(folded(plant(definition="semi-e79@1", ideal_cycle_s=180), reason, *told))
    day = only(found, "kpi", window="day")
    assert minutes(day) == {"PRD": 1_320, "UDT": 120}
    kinds = ("availability_efficiency", "operational_efficiency", "rate_efficiency", "quality_efficiency", "oee")
    assert [round(100 * day.values[name], 2) for name in kinds] == [91.67, 100, 90.91, 97, 80.83]
    assert (day.values["mttr"], day.values["mtbf_p"]) == (2, 22)


def test_technical_availability() -> None:
    """docs of solarlog.atlassian.net, "Technische Verfügbarkeit": 16 h of which 5 h failed; V_T of VDI 3423 is the same."""
    shift = fact("Shift", id="s", name="day", started_at="06:00", ended_at="22:00")
    reason = fact("Reason", CELL, id="r", code=201, started_at="09:00", by="ann")
    told = run("06:00", "22:00", [("09:00", "14:00")], 0, 0)
    window = only(whole(folded(plant(definition="vdi3423@1"), shift, reason, *told)), "kpi", window="shift")
    assert minutes(window) == {"USE": 660, "T_T": 300}
    assert window.values["technical_availability"] == 11 / 16
