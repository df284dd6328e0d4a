"""The short run of CI: no speed fails it, a measurement that came to nothing does."""

import json
from pathlib import Path

from rich.table import Table

from bench import smoke
from bench.figures import Figure, median


def judged(*figures: Figure) -> tuple[int, list[str], Table]:
    shown: list[Table] = []
    said: list[str] = []
    code = smoke.judged(figures, shown.append, said.append)
    return code, said, shown[0]


def test_a_slow_machine_fails_nothing() -> None:
    code, said, _ = judged(Figure("ours against a bare loop", 0.01, "ratio", 0.8), Figure("p99", 9_000.0, "ms", 50))
    assert code == 0
    assert said == []


def test_wrong_bytes_fail_it_and_are_named() -> None:
    wrong = Figure("Kafka Streams", None, "samples/s", note="its outputs are not the same bytes as ours")
    code, said, _ = judged(Figure("ours", 1.0, "samples/s"), wrong)
    assert code == 1
    assert said == ["wrong: Kafka Streams: its outputs are not the same bytes as ours"]


def test_only_what_other_machines_show_alike_is_beside_the_last_release(tmp_path: Path) -> None:
    released = tmp_path / "released.json"
    released.write_text(json.dumps([{"name": "share", "value": 0.5}, {"name": "speed", "value": 100.0}]))
    rows = smoke.beside([Figure("share", 0.25, "share"), Figure("speed", 50.0, "samples/s")], released)
    assert [list(column.cells) for column in rows.columns] == [["share"], ["0.25"], ["0.5"], ["0.50"]]


def test_the_figures_of_the_last_release_can_be_compared() -> None:
    rows = json.loads(smoke.RELEASED.read_text(encoding="utf-8"))
    assert rows
    assert all(row["value"] > 0 and row["unit"] in smoke.COMPARED for row in rows)


def test_a_median_knows_its_range() -> None:
    assert Figure("x", median([3.0, 1.0, 2.0]), "s").range == (1.0, 3.0)
    assert Figure("x", 2.0, "s").range is None


def test_no_runs_have_no_range() -> None:
    figure = Figure("x", median([]), "s")
    assert figure.value is None
    assert figure.range is None
