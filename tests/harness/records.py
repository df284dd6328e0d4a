"""One example of every record type, with every optional field filled."""

from schemas.records import (
    Acknowledge,
    Alert,
    Break,
    Current,
    CurrentTag,
    Downtime,
    Inputs,
    Inspection,
    Lot,
    Oee,
    Order,
    Production,
    Quality,
    Reason,
    Record,
    Sample,
    Samples,
    Shift,
    State,
    Tick,
)

T = 1_795_000_000_000_000
PATH = "acme/dallas/packaging/line-1/filler"


def _common(kind: str) -> dict[str, object]:
    return {
        "id": f"{PATH}#{kind}@20261118T110640.000000Z~iso22400@1:0",
        "path": PATH,
        "started_at": T,
        "ended_at": T + 60_000_000,
        "definition": "iso22400@1",
        "status": "final",
        "revision": 0,
        "inputs": Inputs("uns.acme.dallas.packaging.raw", 1, 10, 20),
    }


EXAMPLES: tuple[Record, ...] = (
    Samples(
        "opcua",
        7,
        (
            Sample("State", T, 6),
            Sample("Speed", T, 1.5),
            Sample("Name", T, "ä"),
            Sample("On", T, True),
            Sample("No", T, None, 1),
        ),
    ),
    Order(id="4711", product="cola", started_at=T, ended_at=T + 1, planned_quantity=100, ideal_cycle_s=6.0),
    Lot(id="L1", material="cap", supplier="acme", started_at=T, ended_at=None),
    Shift(id="2026-11-18/early", name="early", started_at=T, ended_at=T + 9, breaks=(Break(T + 1, T + 2),)),
    Reason(id="R1", code=301, started_at=T, ended_at=None, by="anna", comment="late truck"),
    Inspection(id="I1", characteristic="Offset", at=T, value=0.5, by="bo"),
    Acknowledge(alert=f"{PATH}#alert", at=T, by="anna", comment=None),
    Tick(at=T, worker="w0"),
    State(**_common("state"), state="execute", mode="production", element="APT"),  # type: ignore[arg-type]
    Production(**_common("production"), good=10, scrap=1, resets=0, order="4711", product="cola"),  # type: ignore[arg-type]
    Downtime(
        **_common("downtime"),
        kind="stop",
        state="held",
        reason_code=301,
        reason="no material",
        category="material",
        order="4711",
    ),  # type: ignore[arg-type]
    Oee(  # type: ignore[arg-type]
        **_common("oee-hour"),
        window="hour",
        window_name=None,
        element_us={"APT": 1, "unknown": 2},
        good=9,
        scrap=1,
        ideal_us=10,
        ideal_good_us=9,
        availability=0.5,
        performance=0.9,
        quality=0.9,
        oee=0.4,
        order=None,
        product=None,
    ),
    Quality(  # type: ignore[arg-type]
        **_common("quality-Offset"),
        characteristic="Offset",
        value=1.0,
        moving_range=0.1,
        phase="control",
        mean=0.9,
        lcl=0.0,
        ucl=2.0,
        range_ucl=1.0,
        lsl=-1.5,
        usl=1.5,
        rules=(1, 5),
    ),
    Alert(
        **_common("alert-breakdown"),
        kind="breakdown",
        severity="high",
        state="raised",
        subject="",
        message="m",
        acknowledged_by=None,
        cause="c",
    ),  # type: ignore[arg-type]
    Current(  # type: ignore[arg-type]
        **_common("current"),
        at=T,
        state="execute",
        mode="production",
        state_since=T,
        last_seen=T,
        order="4711",
        product="cola",
        shift="early",
        good=1,
        scrap=0,
        availability=None,
        performance=None,
        quality=None,
        oee=None,
        open_alerts=0,
        tags=(CurrentTag("State", T, 6, 0), CurrentTag("Speed", T, 1.5, 0)),
    ),
)
