"""Comparisons as people read them, and as documents."""

import json
import math

import msgspec
import pytest

from processors.analysis.comparison import compare
from processors.analysis.measure import measure
from processors.analysis.selection import By, grouped
from tests.harness.kpi_windows import DAY, HOUR, T0, shifts
from topology.kpi.definition import definition
from topology.namespace.filters import Filter
from uns.reports.groups import GroupComparison, Question, document, page
from uns.reports.words import between, number

ISO = definition("iso22400@2")


def answer(lines: int, kpi: str = "quality") -> GroupComparison:
    """So many lines with six early shifts each; the last is ten points worse."""
    records = [
        one
        for line in range(lines)
        for one in shifts(
            "early", 6, 0.85 if line == lines - 1 else 0.95, line, path=f"acme/dallas/packaging/line-{line}"
        )
    ]
    one = measure(ISO, kpi)
    question = Question(kpi, Filter.parse("acme/#"), By.LINE, T0, T0 + 10 * DAY)
    return GroupComparison(
        question, one, "shift", f"{lines} × line", compare(grouped(records, By.LINE), one), ("a note",)
    )


def test_every_pair_of_few_groups_is_told() -> None:
    text = page(answer(3))
    assert (
        "quality by line, acme/#, 2026-10-29T00:00 … 2026-11-08T00:00 UTC: shift windows of 3 × line, iso22400@2"
        in text
    )
    assert text.count("→") == 3
    assert "line-0 → acme/dallas/packaging/line-1" in text
    assert "Note: a note" in text
    assert "Method: Values are Σ/Σ" in text


def test_of_many_pairs_only_what_is_more_than_noise() -> None:
    found = answer(8)
    text = page(found)
    said = [pair for pair in found.result.differences if pair.verdict == "more than noise"]
    assert text.count("→") == len(said) < 28
    assert f"other pairs: {28 - len(said)} could be noise; --json has all" in text


def test_a_group_says_how_much_of_its_time_was_seen() -> None:
    seen = [one for n in range(6) for one in shifts("early", 6, 0.9, n, path=f"acme/dallas/packaging/line-{n % 2}")]
    half = [
        msgspec.structs.replace(one, elapsed_us=8 * HOUR, observed_us=8 * HOUR if one.path.endswith("0") else 2 * HOUR)
        for one in seen
    ]
    one = measure(ISO, "quality")
    question = Question("quality", Filter.parse("acme/#"), By.LINE, T0, T0 + 10 * DAY)
    found = GroupComparison(question, one, "shift", "2 × line", compare(grouped(half, By.LINE), one), ())
    assert [group["coverage"] for group in document(found)["groups"]] == [1.0, 0.25]
    assert "100.0 %" in page(found)
    assert "25.0 %" in page(found)
    assert [group["coverage"] for group in document(answer(2))["groups"]] == [None, None], "records of an older release"


def test_a_document_has_all_of_it() -> None:
    found = json.loads(json.dumps(document(answer(2))))
    assert found["formula"] == "GQ / PQ"
    assert [group["windows"] for group in found["groups"]] == [6, 6]
    (pair,) = found["differences"]
    assert pair["unit"] == "points"
    assert pair["low"] < pair["difference"] < pair["high"]
    assert found["groups"][1]["value"] - found["groups"][0]["value"] == pytest.approx(pair["difference"] / 100)
    hours = document(answer(2, "throughput_rate"))
    assert hours["groups"][0]["value"] is None
    assert hours["groups"][0]["unknown_quantities"] == ["AOET"]
    assert hours["differences"][0]["verdict"] == "no value"
    assert "AOET not known in every window, so there is no value" in page(answer(2, "throughput_rate"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.71234, "0.712"),
        (7.1234, "7.12"),
        (71.234, "71.23"),
        (712.34, "712.3"),
        (71234.5, "71234"),
        (-0.5, "-0.500"),
        (None, "–"),
    ],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_intervals() -> None:
    assert between(0.1, 0.25, 100) == "10.00 … 25.00"
    assert between(-1, 1, signed=True) == "-1.00 … +1.00"
    assert between(None, 1) == "–"
    assert number(math.inf) == "inf"
