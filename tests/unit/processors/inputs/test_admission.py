"""What a plant model takes of what is told of its places, and what it says to the rest."""

from typing import Any

import pytest

from processors.inputs.admission import Admission
from schemas.records import Acknowledge, Fact, Inspection, Lot, Order, Reason, Samples, Shift
from tests.harness.fold_files import CELL, LINE, at, plant

MODEL = plant(
    tags={"State": {"role": "state"}, "Fill": {"role": "characteristic"}},
    reasons={301: {"name": "jam", "category": "micro"}, 402: {"name": "drive", "category": "breakdown"}},
)
ALERT = f"{CELL}#alert.silent@20261123T060000.000000Z~iso22400@1"
SIX = at("06:00")


def reason(**fields: Any) -> Reason:
    known: dict[str, Any] = {"id": "r", "code": 301, "started_at": SIX, "by": "anna"}
    return Reason(**known | fields)


TAKEN: list[tuple[str, Fact]] = [
    (CELL, reason()),
    (LINE, reason(code=402)),
    (CELL, reason(code=0)),
    (LINE, Order(id="o", product="any", started_at=SIX)),
    (CELL, Lot(id="l", material="any", started_at=SIX)),
    (LINE, Shift(id="s", name="any", started_at=SIX, ended_at=SIX + 1)),
    (CELL, Inspection(id="i", characteristic="roundness", at=SIX, value=1.0)),
    (CELL, Acknowledge(alert=ALERT, at=SIX, by="anna")),
]


@pytest.mark.parametrize(("path", "fact"), TAKEN)
def test_taken(path: str, fact: Fact) -> None:
    assert Admission(MODEL).refusal(path, fact) is None
    assert Admission(MODEL).whole_refusal(path, fact) is None


REFUSED: dict[str, tuple[str, Fact, str, str]] = {
    "code": (CELL, reason(code=310), "unknown_code", "code 310; did you mean 301 (jam)? the codes are 301 (jam), 402"),
    "code of a line": (LINE, reason(code=7), "unknown_code", "the codes are 301 (jam), 402 (drive)"),
    "machine": (f"{LINE}/filer", reason(), "unknown_path", f"did you mean '{CELL}'?"),
    "line": (LINE.replace("line-1", "line-l"), reason(), "unknown_path", f"did you mean '{LINE}'?"),
    "site": ("acme/dallas", reason(), "unknown_path", "no such machine or line"),
    "of a machine": (LINE, Inspection(id="i", characteristic="c", at=SIX, value=1.0), "unknown_path", CELL),
    "name": (CELL, Order(id="o", product="p" * 129, started_at=SIX), "too_long", "product has 129 characters; 128"),
    "comment": (CELL, reason(comment="c" * 4_001), "too_long", "comment has 4001 characters; 4000 are the most"),
    "interval": (CELL, reason(ended_at=SIX - 1), "bad_interval", "ends before it begins"),
    "time": (CELL, reason(started_at=5), "out_of_range", "outside 2000 to 2100"),
    "alert": (CELL, Acknowledge(alert="a-1", at=SIX, by="anna"), "unknown_alert", "is no id of an alert"),
    "of another": (
        CELL,
        Acknowledge(alert=ALERT.replace("filler", "capper"), at=SIX, by="anna"),
        "unknown_alert",
        "publish its acknowledgement there",
    ),
    "near miss": (
        CELL,
        Inspection(id="i", characteristic="fill", at=SIX, value=1.0),
        "unknown_tag",
        "did you mean 'Fill'?",
    ),
    "no number": (CELL, Inspection(id="i", characteristic="c", at=SIX, value=float("nan")), "not_finite", "is nan"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    path, fact, reason_, words = REFUSED[name]
    refused = Admission(MODEL).whole_refusal(path, fact)
    assert refused is not None
    assert refused.reason == reason_
    assert words in refused.message


def test_a_type_without_reasons_says_so() -> None:
    refused = Admission(plant(reasons={})).refusal(CELL, reason())
    assert refused is not None
    assert "its type has no reasons; add them to the plant model" in refused.message


def test_samples_are_of_machines() -> None:
    samples = Samples("plc", 1, ())
    assert Admission(MODEL).refusal(CELL, samples) is None
    for path in (LINE, "acme/dallas/packaging/line-9/filler"):
        refused = Admission(MODEL).refusal(path, samples)
        assert refused is not None
        assert refused.reason == "unknown_path"
