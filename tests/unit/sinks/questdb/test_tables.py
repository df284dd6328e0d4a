"""Rows for QuestDB, and its tables and answers."""

from typing import Any

import pytest

from schemas.records import Bottleneck, Derived, Sample, Samples
from sinks.base import Delivery
from sinks.kit.batches import Row, Verdict
from sinks.kit.http import Answer
from sinks.questdb.answer import NotForUs, judge
from sinks.questdb.tables import TABLES, Rows
from tests.harness.records import EXAMPLES
from topology.namespace.classes import DERIVED, MessageClass
from uns.testing.sinks import downtime

PATH = "acme/dallas"
T = 1_795_000_000_000_000


def of(record: Any) -> list[Row | str]:
    return list(Rows("uns_").of(Delivery("t", 0, 0, PATH, MessageClass.RAW, record, T)))


def line(value: Any, at: int = T) -> str:
    [row] = of(Samples("plc", 1, (Sample("a b", at, value),)))
    assert isinstance(row, Row)
    text: str = row.content.text
    return text.removeprefix(r"uns_samples,enterprise=acme,path=acme/dallas,site=dallas,tag=a\ b,")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.5, "type=number value=1.5,quality=0i"),
        (3, "type=integer value=3.0,value_integer=3i,quality=0i"),
        (-(2**63), "type=integer value=-9.223372036854775808e+18,quality=0i".replace("9.223372036854775808e+18", "9.223372036854776e+18")),
        (True, "type=boolean value_boolean=t,quality=0i"),
        (None, "type=null quality=0i"),
        (float("nan"), "type=nan quality=0i"),
        (float("-inf"), "type=-inf quality=0i"),
        ('a"\\\n', 'type=text value_text="a\\"\\\\\\\n",quality=0i'),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_value_says_its_type(value: Any, said: str) -> None:
    assert line(value) == f"{said} {T}"


def test_each_class_has_a_table_with_its_keys() -> None:
    assert set(TABLES) == {"samples", *DERIVED}
    for table in TABLES.values():
        assert {table.time, *table.keys} <= {table.time, *(name for name, _ in table.columns)}
        text = table.create("uns_", "DAY")
        assert f"DEDUP UPSERT KEYS({table.time}, {', '.join(table.keys)})" in text
        names = [name.lower() for name, _ in table.columns]
        assert len(set(names)) == len(names)


def test_a_boolean_that_may_be_null_is_text() -> None:
    assert dict(TABLES["bottleneck"].columns)["agrees"] == "VARCHAR"
    record = next(each for each in EXAMPLES if isinstance(each, Bottleneck))
    [row] = of(record)
    assert isinstance(row, Row)
    assert f'agrees="{str(record.agrees).lower()}"' in row.content.text
    assert "withdrawn=f" in row.content.text


def test_what_no_row_can_hold_is_told() -> None:
    found = of(
        Samples("plc", 1, (Sample("a", -1, 1), Sample("b", T, "\ud800"), Sample("c", T, 2**63), Sample("d", T, 1)))
    )
    assert [isinstance(row, Row) for row in found] == [False, False, False, True]
    [refused] = of(downtime(1, revision=0, reason="\ud800"))
    assert isinstance(refused, str)
    strange = next(each for each in EXAMPLES if isinstance(each, Derived))
    assert all(isinstance(row, Row) for row in of(strange))


@pytest.mark.parametrize(
    ("status", "text", "verdict", "guilty"),
    [
        (204, "", Verdict.TAKEN, []),
        (400, '{"code":"invalid","message":"cast error","line":2,"errorId":"x"}', Verdict.REFUSED, [1]),
        (400, '{"code":"invalid","message":"a\nb","line":9}', Verdict.REFUSED, []),
        (400, "<html>", Verdict.FAILED, []),
        (413, "", Verdict.REFUSED, []),
        (500, '{"code":"internal error","message":"disk full"}', Verdict.FAILED, []),
        (200, "<html>", Verdict.FAILED, []),
    ],
    ids=range(7),
)
def test_an_answer_is_judged(status: int, text: str, verdict: Verdict, guilty: list[int]) -> None:
    rows = [Row(Delivery("t", 0, 0, "a", MessageClass.DOWNTIME, downtime(1), 0), n, None, 1) for n in range(3)]
    outcome = judge(Answer(status, {}, text), rows)
    assert (outcome.verdict, sorted(outcome.guilty)) == (verdict, guilty)
    with pytest.raises(NotForUs):
        judge(Answer(404, {}, "not found"), rows)
