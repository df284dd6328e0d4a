"""Subgroups, short runs, decisions and alerts of control charts through `uns fold`."""

import json
from typing import Any

import pytest

from schemas.records import Alert, Quality
from tests.harness.fold_files import CELL, LINE, plant
from uns.history.file.fold import Folded, fold
from uns.history.file.read import read

BEGIN, S = 1_795_413_600_000_000, 1_000_000
MINUTE = 60 * S


def values(*measured: float, step: int = MINUTE, begin: int = BEGIN) -> list[dict[str, Any]]:
    return [
        {"type": "Samples", "path": CELL, "samples": [{"tag": "x", "at": begin + n * step, "value": value}]}
        for n, value in enumerate(measured)
    ]


def run(lines: list[dict[str, Any]], baseline: int = 4, **chart: Any) -> Folded:
    tags = {
        "x": {"role": "characteristic", "unit": "mm", "baseline": baseline, "chart": {"settled": 2} | chart},
        "Good": {"role": "good_count"},
    }
    return fold(plant(tags=tags), read("\n".join(map(json.dumps, lines)).encode()))


def points(result: Folded) -> list[Quality]:
    return [record for record in result.records if isinstance(record, Quality)]


def alerts(result: Folded) -> list[Alert]:
    return [record for record in result.records if isinstance(record, Alert) and record.kind == "quality"]


def sizes(result: Folded) -> list[float | None]:
    """Values of each subgroup that is complete."""
    return [point.size for point in points(result) if point.phase != "member"]


QUIET = [1.0, 2.0, 1.0, 2.0]


def test_a_subgroup_by_time_is_judged_once_its_time_is_over() -> None:
    result = run(values(*range(10), step=20 * S), baseline=2, kind="mean_sd", subgroup={"by": "time", "every_s": 60})
    said = points(result)
    assert [point.phase for point in said] == ["member", "member", "baseline"] * 2 + [
        "member",
        "member",
        "control",
        "member",
    ]
    assert (said[5].plotted, said[5].spread, said[5].size, said[5].mean) == (4.0, 1.0, 3.0, 2.5)
    assert {point.status for point in said} == {"final"}


def test_a_subgroup_by_lot_and_by_piece() -> None:
    lots = [
        {"type": "Lot", "path": LINE, "id": name, "material": "steel", "started_at": BEGIN + start * MINUTE}
        for name, start in (("a", 0), ("b", 3), ("c", 5))
    ]
    assert sizes(run([*lots, *values(*range(8))], kind="mean_range", subgroup={"by": "lot"})) == [3.0, 2.0]
    counted = [
        {"type": "Samples", "path": CELL, "samples": [{"tag": "Good", "at": BEGIN + n * MINUTE - S, "value": piece}]}
        for n, piece in ((0, 0), (2, 1), (6, 2))
    ]
    assert sizes(run([*counted, *values(*range(8))], kind="mean_range", subgroup={"by": "piece"})) == [2.0, 4.0]


def test_a_short_run_goes_on_over_products() -> None:
    orders = [
        {"type": "Order", "path": LINE, "id": name, "product": name, "started_at": BEGIN + start * MINUTE}
        for name, start in (("a", 0), ("b", 3), ("c", 6))
    ]
    products = {"a": {"target": 10, "sigma": 2}, "b": {"target": 100, "sigma": 5}}
    result = run([*orders, *values(10, 12, 8, 100, 105, 120, 7)], standardise="z", products=products)
    said = points(result)
    assert [point.plotted for point in said] == [0.0, 1.0, -1.0, 0.0, 1.0, 4.0, None]
    assert [point.phase for point in said] == ["control"] * 6 + ["unknown"]
    assert (said[5].rules, said[5].ucl, said[5].value) == ((1,), 3.0, 120.0)
    assert said[6].limits_warning == "no target for product c"


def limits(at: int, name: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"type": "Limits", "path": CELL, "id": name, "at": at, "why": "tool", "by": "ann"} | fields


def test_a_fact_freezes_limits_or_has_them_learnt_anew_and_points_keep_theirs() -> None:
    told = [
        limits(BEGIN + 6 * MINUTE, "v1", characteristic="x", mean=5.0, sigma=1.0),
        limits(BEGIN + 8 * MINUTE, "new tool"),
    ]
    said = points(run([*told, *values(*QUIET, 1.5, 1.5, 4.0, 9.0, *QUIET, 1.5)]))
    assert [point.phase for point in said] == ["baseline"] * 4 + ["control"] * 4 + ["baseline"] * 4 + ["control"]
    assert [(point.limits_by, point.limits_points, point.mean) for point in said[3:8]] == [
        *[("learnt", 4, 1.5)] * 3,
        *[("v1", None, 5.0)] * 2,
    ]
    assert (said[7].rules[-1], said[7].alert_ucl, said[7].ucl) == (1, 8.0, 8.0)
    assert said[12].limits_since == BEGIN + 11 * MINUTE


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sigma": 1.0}, "out_of_range"),
        ({"mean": 1.0}, "out_of_range"),  # of which characteristic?
        ({"characteristic": "x", "mean": 1.0, "sigma": -1.0}, "out_of_range"),
        ({"at": 0}, "out_of_range"),
    ],
    ids=["sigma alone", "all have one mean", "negative", "1970"],
)
def test_a_decision_that_cannot_be_is_refused(fields: dict[str, Any], reason: str) -> None:
    result = run([limits(BEGIN) | fields, *values(*QUIET)])
    assert len(result.refused) == 1
    assert result.refused[0].reason in (reason, "bad_time", "late")


def test_one_alert_has_all_the_rules_of_its_cause_and_says_it_in_words() -> None:
    shifted = [3.5] * 7 + [9.0]
    result = run(values(*shifted, *[3.2, 2.8] * 6), kind="individuals", mean=3.0, sigma=1.0)
    (alert,) = alerts(result)
    assert (alert.state, alert.started_at) == ("cleared", BEGIN + 7 * MINUTE)
    assert alert.message == (
        f"{CELL} x: one value far from the usual: 9 mm is 6 mm above the usual 3 mm (from 0 to 6 mm). Usual cause: a sudden "
        "change: a wrong setting, a broken tool or fixture, a measuring error. Rules: nelson-1, western-electric-4"
    )
    run_of_eight = run(values(*[3.5] * 8, 9.0, 3.0), kind="individuals", mean=3.0, sigma=1.0)
    (alert,) = alerts(run_of_eight)
    assert alert.message.startswith(
        f"{CELL} x: eight values in a row on one side of the usual since 2026-11-23 06:00:00 UTC: on average 0.5 mm above"
    )
    assert alert.message.endswith("Rules: western-electric-4, nelson-1")


def test_limits_of_few_points_flag_by_the_book_and_alert_only_when_sure() -> None:
    result = run(values(*QUIET, 4.3))
    flagged = points(result)[-1]
    assert (flagged.rules[-1], flagged.alarming, alerts(result)) == (1, (), [])
    assert flagged.alert_ucl is not None
    assert flagged.ucl is not None
    assert flagged.ucl < 4.3 < flagged.alert_ucl


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"value": 3.0, "size": 2.0}, "there are 2 items"),
        ({"value": -1.0, "size": 2.0}, "counts are 0"),
        ({"value": 1.0, "size": 0.0}, "more than 0"),
        ({"value": 1.0, "defects": [{"type": "scratch", "count": -1}]}, "number of defects"),
    ],
    ids=["more than there are", "negative", "of nothing", "negative defects"],
)
def test_a_count_that_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    fact = {"type": "Inspection", "path": CELL, "id": "i", "characteristic": "x", "at": BEGIN} | fields
    (refused,) = run([fact], kind="p", size=10).refused
    assert words in refused.message


def test_a_sample_that_is_no_count_is_a_point_of_no_chart() -> None:
    said = points(run(values(-1.0, 1.0), kind="c"))
    assert [point.phase for point in said] == ["unknown", "baseline"]
    assert said[0].limits_warning == "counts are 0 to 1e+15"
