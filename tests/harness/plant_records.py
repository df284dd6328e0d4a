"""Derived records of a small line over some hours up to `T0`: all that screens draw is there."""

from typing import Any

from msgspec.structs import replace

from processors.output.identity import natural_id, revised
from schemas.records import (
    Alert,
    Bottleneck,
    BottleneckCell,
    Changeover,
    Current,
    CurrentTag,
    Cycle,
    Derived,
    Downtime,
    Inputs,
    Kpi,
    KpiPieces,
    KpiStops,
    Oee,
    Quality,
    State,
)

MINUTE, HOUR = 60_000_000, 3_600_000_000
T0 = 1_795_435_200_000_000
"""A Monday of 2026, 13:00 in Berlin."""
LINE = "acme/dallas/packaging/line-1"
FILLER, PACKER = f"{LINE}/filler", f"{LINE}/packer"
SHIFT = T0 - 6 * HOUR
ELEMENTS = {
    "APT": 4 * HOUR,
    "ADET": HOUR,
    "AUST": HOUR // 2,
    "ADOT": 0,
    "PDOT": HOUR // 2,
    "unplanned": 0,
    "unknown": 0,
}


def common(kind: str, path: str, at: int, end: int | None = None, revision: int = 0) -> dict[str, Any]:
    return {
        "id": revised(natural_id(path, kind, at, "iso22400@1"), revision),
        "path": path,
        "started_at": at,
        "ended_at": end,
        "definition": "iso22400@1",
        "status": "final",
        "revision": revision,
        "inputs": Inputs("uns.acme.dallas.packaging.raw", 0, 0, 0),
    }


def snapshot(path: str, at: int, state: str, since: int, **more: Any) -> Current:
    told = Current(
        **common("current", path, at),
        at=at,
        state=state,
        mode="production",
        state_since=since,
        last_seen=at,
        order="4711",
        product="<b>cola</b>",
        shift="early",
        good=1234,
        scrap=5,
        availability=0.8,
        performance=0.9,
        quality=0.99,
        oee=0.7128,
        open_alerts=0,
        tags=(CurrentTag("FillVolume", at, 499.5, 0), CurrentTag("Speed", at, 1.5, 0x80000000)),
        coverage=0.62,
    )
    return replace(told, **more)


def alert(path: str, at: int, state: str = "raised", revision: int = 0) -> Alert:
    return Alert(
        **common("alert.breakdown", path, at, None if state != "cleared" else T0, revision),
        kind="breakdown",
        severity="high",
        state=state,
        subject="",
        message=f"{path} has broken down: gripper fault",
        acknowledged_by=None,
        cause="",
    )


def kpi(path: str, window: str, at: int, end: int | None, **more: Any) -> Kpi:
    told = Kpi(
        **common(f"kpi.{window}", path, at, end),
        window=window,
        window_name="2026-11-23/early" if window == "shift" else None,
        order=None,
        product=None,
        element_us=ELEMENTS,
        pieces=(KpiPieces(product="cola", ideal_cycle_us=6_000_000, good=2100, scrap=40, rework=0),),
        quantities={},
        loss_us={
            "availability.ADET": HOUR,
            "availability.AUST": HOUR // 2,
            "performance.speed": 4 * HOUR - 2140 * 6_000_000,
            "quality.scrap": 40 * 6_000_000,
            "valuable": 2100 * 6_000_000,
        },
        stops=(
            KpiStops(reason_code=201, reason="gripper fault", category="breakdown", count=2, stopped_us=40 * MINUTE),
            KpiStops(reason_code=None, reason=None, category="internal", count=1, stopped_us=12 * MINUTE),
        ),
        values={"availability": 0.727, "performance": 0.89, "quality": 0.981, "oee": 0.636},
        parts=(),
        rule=None,
        coverage=0.9,
    )
    return replace(told, **more)


def stops(path: str) -> list[Derived]:
    return [
        Downtime(
            **common("downtime", path, T0 - minutes * MINUTE, T0 - (minutes - 8) * MINUTE),
            kind="stop",
            state="held",
            reason_code=code,
            reason=reason,
            category="breakdown" if reason else "internal",
            order="4711",
        )
        for minutes, code, reason in ((55, 201, "gripper fault"), (30, None, None))
    ]


def states(path: str) -> list[Derived]:
    edges = [(360, "execute"), (55, "held"), (47, "execute"), (30, "held"), (22, "execute"), (10, "suspended"), (6, "execute")]  # fmt: skip
    ends = [minutes for minutes, _ in edges[1:]]
    return [
        State(
            **common("state", path, T0 - begin * MINUTE, None if end is None else T0 - end * MINUTE),
            state=name,
            mode="production",
            element="APT",
        )
        for (begin, name), end in zip(edges, [*ends, None], strict=True)
    ]


def quality() -> list[Derived]:
    return [
        Quality(
            **common("quality-FillVolume", FILLER, T0 - (60 - n) * MINUTE, T0 - (60 - n) * MINUTE),
            characteristic="FillVolume",
            value=500 + (n * 7 % 5) - 2 + (6 if n == 30 else 0),
            moving_range=None,
            phase="control",
            mean=500.0,
            lcl=494.0,
            ucl=506.0 if n < 40 else 505.0,
            range_ucl=None,
            lsl=490.0,
            usl=510.0,
            rules=(1, 5) if n == 30 else (),
        )
        for n in range(60)
    ]


def oee(path: str) -> Oee:
    return Oee(
        **common("oee.shift", path, SHIFT, None),
        window="shift",
        window_name="early",
        element_us=ELEMENTS,
        good=2100,
        scrap=40,
        ideal_us=2140 * 6_000_000,
        ideal_good_us=2100 * 6_000_000,
        availability=0.727,
        performance=0.89,
        quality=0.981,
        oee=0.636,
        order=None,
        product=None,
    )


def others() -> list[Derived]:
    cell = BottleneckCell(path=FILLER, sole_us=HOUR, shifting_us=HOUR // 2, active_us=5 * HOUR, blocked_us=0, starved_us=HOUR, other_us=0, average_active_us=None)  # fmt: skip
    return [
        Bottleneck(**common("kpi.bottleneck.shift", LINE, SHIFT), window="shift", window_name="early", bottleneck=FILLER, turning_point=None, agrees=None, cells=(cell, replace(cell, path=PACKER))),
        Changeover(**common("changeover", PACKER, T0 - 3 * HOUR, T0 - 3 * HOUR + 5 * MINUTE), from_product="water", to_product="cola", from_order="4710", to_order="4711", teardown_us=MINUTE, setup_us=3 * MINUTE, run_in_us=MINUTE, planned_us=5 * MINUTE, target_us=4 * MINUTE, scrap=2),
        *(Cycle(**common("cycle.cola", path, T0 - HOUR, T0), product="cola", cycles=500, interrupted=1, cycles_us=HOUR, min_us=5_800_000, p5_us=5_900_000, p10_us=5_950_000, median_us=6_200_000, p95_us=6_900_000, max_us=12_000_000, mean_us=6_300_000, slow=4, ideal_cycle_us=6_000_000, suspicion=None, suggested_ideal_us=None) for path in (FILLER, PACKER)),
    ]  # fmt: skip


def records() -> list[Derived]:
    """All of them."""
    told: list[Derived] = [
        snapshot(FILLER, T0, "execute", T0 - 6 * MINUTE),
        snapshot(PACKER, T0, "held", T0 - 4 * MINUTE, why_null="no state known", coverage=0.0, oee=None),
        *(snapshot(FILLER, T0 - n * MINUTE, "execute", T0 - 90 * MINUTE, tags=(CurrentTag("FillVolume", T0 - n * MINUTE, 500.0 + n % 3, 0),)) for n in range(40, 0, -1)),
        alert(PACKER, T0 - 4 * MINUTE),
        kpi(LINE, "order", T0 - 5 * HOUR, None, order="4711", product="cola"),
    ]  # fmt: skip
    for path in (FILLER, PACKER):
        told += [*stops(path), *states(path), oee(path)]
    for place in (FILLER, PACKER, LINE, "acme/dallas/packaging", "acme/dallas", "acme"):
        told += [kpi(place, "shift", SHIFT, None)]
        told += [kpi(place, "hour", T0 - n * HOUR, T0 - (n - 1) * HOUR) for n in range(4, 0, -1)]
    return [*sorted(told, key=lambda record: getattr(record, "at", 0)), *quality(), *others()]
