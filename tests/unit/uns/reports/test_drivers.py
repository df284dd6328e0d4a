"""`uns drivers` over files and tables: the whole way from raw records to words, numbers, a drawing and a record."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from processors.analysis.observations import Of
from processors.analysis.selection import Incomparable
from schemas.records import Driver, Production
from schemas.text import iso
from topology.namespace.filters import Filter
from uns.cli.app import UserError, app
from uns.reports.drivers.asking import Question, of_table
from uns.reports.drivers.daily import place, record
from uns.reports.drivers.page import page
from uns.reports.drivers.table import Columns

T0, HOUR = 1_795_000_000_000_000 // 3_600_000_000 * 3_600_000_000, 3_600_000_000
LINE = "acme/dallas/packaging/line-1"
CELL = f"{LINE}/filler"
PLANT = """
namespace: {enterprise: acme, sites: {dallas: {areas: {packaging: {lines: {line-1: {cells: {filler: filler}}}}}}}}
types:
  filler:
    ideal_cycle_s: 1.0
    silent_after_s: null
    tags:
      State: {role: state, map: {RUN: execute, STOP: stopped}}
      Good: {role: good_count, counts: increments}
      Scrap: {role: scrap_count, counts: increments}
"""
SHIFTS = {
    ("Day", "easy"): (855, 900),
    ("Day", "hard"): (75, 100),
    ("Night", "easy"): (99, 100),
    ("Night", "hard"): (720, 900),
}
BERKELEY = """dept,gender,applicants,admitted
A,m,825,512\nA,f,108,89\nB,m,560,353\nB,f,25,17\nC,m,325,120\nC,f,593,202
D,m,417,138\nD,f,375,131\nE,m,191,53\nE,f,393,94\nF,m,373,22\nF,f,341,24
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    folder = tmp_path / "plant"
    folder.mkdir()
    (folder / "plant.yaml").write_text(PLANT)
    return folder


def sample(at: int, **tags: Any) -> dict[str, Any]:
    return {
        "type": "Samples",
        "path": CELL,
        "samples": [{"tag": tag, "at": iso(at), "value": value} for tag, value in tags.items()],
    }


def simpson() -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for n, ((shift, product), (good, made)) in enumerate(SHIFTS.items()):
        at = T0 + n * HOUR
        span = {"path": LINE, "started_at": iso(at), "ended_at": iso(at + HOUR)}
        lines += [
            {"type": "Shift", "id": f"s{n}", "name": shift, **span},
            {"type": "Order", "id": f"o{n}", "product": product, **span},
            sample(at, State="RUN"),
            sample(at + HOUR // 2, Good=good, Scrap=made - good),
        ]
    return lines


def suppliers() -> list[dict[str, Any]]:
    """Sixteen lots of two suppliers, an hour each; Globex's have three times the scrap."""
    lines = [sample(T0, State="RUN")]
    for n in range(16):
        at, bad = T0 + n * HOUR, n % 2
        told = {"type": "Lot", "path": LINE, "id": f"L{n}", "material": "cap", "supplier": ("Acme", "Globex")[bad]}
        lines.append({**told, "started_at": iso(at), "attributes": {"heat": f"H{n % 3}"}})
        for part in range(6):
            scrap = (4, 12)[bad] + (n + part) % 3
            lines.append(sample(at + (part * 10 + 2) * 60_000_000, Good=200 - scrap, Scrap=scrap))
    return lines


def written(folder: Path, lines: list[dict[str, Any]], *more: str) -> str:
    file = folder / "history.jsonl"
    file.write_text("\n".join([*map(json.dumps, lines), *more]) + "\n")
    return str(file)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["drivers", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answered(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


def factor(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in found["factors"] if one["factor"] == name)


def test_simpson_through_the_whole_fold(tmp_path: Path, plant: Path) -> None:
    file = written(tmp_path, simpson())
    shift = factor(answered("--file", file, "--plant", str(plant)), "shift")
    night = next(level for level in shift["levels"] if level["level"] == "Night")
    assert night["crude"]["odds_ratio"]["value"] == pytest.approx(2.936159, abs=1e-4)
    assert night["adjusted"]["odds_ratio"]["value"] == pytest.approx(0.639279, abs=1e-4)
    assert shift["strata"] == ["product"]
    assert "the sign turns: shift Night looks worse" in run("--file", file, "--plant", str(plant))


def test_a_supplier_is_found_in_words_and_numbers_and_drawn(tmp_path: Path, plant: Path) -> None:
    file, drawing = written(tmp_path, suppliers(), "{bad", '{"class": "state"}'), tmp_path / "funnel.svg"
    text = run("--file", file, "--plant", str(plant), "--cost", "2", "--svg", str(drawing))
    assert "1. supplier Globex has" in text
    assert "in money" in text
    root = ElementTree.fromstring(drawing.read_text())
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 2
    found = answered("--file", file, "--plant", str(plant))
    supplier = factor(found, "supplier")
    assert (found["drivers"][0], found["exposure"], supplier["best"]) == ("supplier", 16 * 6 * 200, "Acme")
    assert supplier["avoidable"]["value"] == pytest.approx(8 * 6 * 8, rel=0.1)
    assert supplier["funnel"]["points"]
    assert not factor(found, "heat")["driver"]


def test_what_fold_says_is_taken_too_and_later_revisions_count(tmp_path: Path, plant: Path) -> None:
    file = written(tmp_path, suppliers())
    folded = CliRunner().invoke(app, ["fold", file, "--plant", str(plant), "--json"])
    facts = [line for line in suppliers() if line["type"] == "Lot"]
    again = written(tmp_path, facts, *folded.stdout.splitlines())
    first, second = (factor(answered("--file", each, "--plant", str(plant)), "supplier") for each in (file, again))
    assert [level["loss"] for level in first["levels"]] == [level["loss"] for level in second["levels"]]


@pytest.mark.parametrize("of", ["downtime", "cycle", "fpy"])
def test_every_loss_has_an_answer(tmp_path: Path, plant: Path, of: str) -> None:
    lines = suppliers()
    for n in range(1, 16, 2):
        at = T0 + n * HOUR
        lines += [sample(at + 30 * 60_000_000, State="STOP"), sample(at + 45 * 60_000_000, State="RUN")]
    found = answered("--file", written(tmp_path, lines), "--plant", str(plant), "--of", of)
    assert found["exposure"] > 0
    if of == "downtime":
        assert found["loss"] == pytest.approx(8 * 15)
        assert "supplier" in found["drivers"]
        assert found["reasons"][0]["stops"] == 8


def test_published_admissions_from_a_table(tmp_path: Path) -> None:
    file = tmp_path / "berkeley.csv"
    file.write_text(BERKELEY)
    found = answered("--file", str(file), "--loss", "admitted", "--exposure", "applicants", "--stratify", "dept")
    gender = factor(found, "gender")
    assert gender["crude"]["pearson_chi2"] == pytest.approx(92.205, abs=1e-3)
    assert gender["crude"]["cramer_v"] == pytest.approx(0.1427, abs=1e-4)
    assert (gender["test"]["statistic"], gender["p"]) == (
        pytest.approx(1.5246, abs=1e-4),
        pytest.approx(0.2169, abs=1e-4),
    )
    assert gender["breslow_day"]["chi2"] == pytest.approx(18.83, abs=5e-3)
    men = next(level for level in gender["levels"] if level["level"] == "m")
    assert men["crude"]["odds_ratio"]["value"] == pytest.approx(1.8411, abs=1e-4)
    assert men["adjusted"]["odds_ratio"]["value"] == pytest.approx(0.9047, abs=1e-4)


def test_published_analysis_of_variance_from_a_table(tmp_path: Path) -> None:
    file = tmp_path / "dyestuff.csv"
    values = {"A": "1545 1440 1440 1520 1580", "B": "1540 1555 1490 1560 1495", "C": "1595 1550 1605 1510 1560"}
    values |= {"D": "1445 1440 1595 1465 1545", "E": "1595 1630 1515 1635 1625", "F": "1520 1455 1450 1480 1445"}
    rows = [f"{batch};{value}" for batch, some in values.items() for value in some.split()]
    file.write_text("batch;yield\n" + "\n".join(rows))
    found = answered("--file", str(file), "--of", "yield", "--nest", "batch")
    batch = factor(found, "batch")
    assert (batch["test"]["f"], batch["p"]) == (pytest.approx(4.5983, abs=5e-5), pytest.approx(0.0044, abs=5e-5))
    outer, within = found["components"]["levels"]
    assert (outer["variance"], within["variance"]) == (pytest.approx(1764.05), pytest.approx(2451.25))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "no rows"),
        ("tool,pieces\nx,5\n", "no column scrap or bad"),
        ("tool,scrap,pieces\nx,-1,5\n", "no row has numbers"),
        ("tool,scrap,pieces\nx,nan,5\ny,1e999,9\n", "no row has numbers"),
    ],
    ids=["empty", "no-loss", "negative", "not-finite"],
)
def test_a_table_that_says_nothing_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(Incomparable, match=said):
        of_table(Question(Of.SCRAP, "t"), text, Columns())


def test_poisoned_rows_are_left_out_and_names_do_no_harm() -> None:
    rows = "".join(f"\x1b[2J<b>{n % 2},{n % 3 + 1 + 4 * (n % 2)},100\n" for n in range(40))
    answer = of_table(Question(Of.SCRAP, "t"), f"tool,scrap,pieces\n{rows}z,7,3\ny,,9\n", Columns())
    assert any("2 rows left out" in note for note in answer.notes)
    text = page(answer)
    assert "\x1b" not in text
    assert "tool" in text


def test_errors_are_a_persons_words(tmp_path: Path, plant: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        run("--file", str(tmp_path / "none.csv"))
    with pytest.raises(UserError, match="no production record"):
        run("--file", written(tmp_path, []), "--plant", str(plant))
    (tmp_path / "t.csv").write_text("tool,loss\nx,1\n")
    with pytest.raises(UserError, match=r"no column 'los'"):
        run("--file", str(tmp_path / "t.csv"), "--loss", "los")


def test_the_record_of_a_day_is_the_same_bytes_of_the_same_history_and_says_when_it_is_not_over(tmp_path: Path) -> None:
    from tests.unit.processors.analysis.test_losses import made
    from uns.reports.drivers.asking import of_material
    from uns.reports.drivers.material import Material
    from uns.reports.plant import Known

    records = [made(n * 10, 100 - n % 7, n % 7, product="ab"[n % 2]) for n in range(200)]
    wanted, day = Filter.parse("acme/dallas/#"), (T0, T0 + 24 * HOUR)
    drafts: list[Driver] = []
    for some in (records, records[::-1]):
        material = Material(list(some))
        answer = of_material(Question(Of.SCRAP, str(wanted), T0, day[1]), material, Known({}))
        drafts.append(record(answer, wanted, day, material.of(Production)))
    assert drafts[0] == drafts[1]
    assert (drafts[0].path, drafts[0].status) == ("acme/dallas", "final")
    assert drafts[0].natural_id.startswith("acme/dallas#driver.scrap@")
    with pytest.raises(ValueError, match="needs a place"):
        place(Filter.parse("#"))
