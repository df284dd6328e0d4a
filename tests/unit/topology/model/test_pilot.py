"""A pilot in the plant model: read, and refused with the line and what to do."""

import pytest

from schemas.text import micros
from tests.unit.topology.model.test_kpis import PLANT, problems_of
from topology.document import read
from topology.model.loader import build
from topology.model.pilot import PilotPlan
from topology.namespace.path import Path

PILOT = """\
pilot:
  smed:
    filter: acme/dallas/packaging/line-1
    definition: iso22400@2
    zone: America/Chicago
    baseline: {from: 2026-09-01, to: 2026-10-01}
    since: 2026-10-05T06:00:00
    targets:
      - {measure: changeover, change: "-20 %"}
      - {measure: scrap, value: 0.02}
      - {kpi: oee, change: +0.1}
      - {measure: unplanned_downtime, change: -20%, elements: [ADET]}
"""


def pilot_of(text: str) -> PilotPlan:
    plant, _ = build([read("pilot.yaml", text, {}), read("plant.yaml", PLANT, {})])
    return plant.pilot["smed"]


def test_days_are_of_its_zone() -> None:
    one = pilot_of(PILOT)
    assert one.before == (micros("2026-09-01T00:00:00-05:00"), micros("2026-10-01T00:00:00-05:00"))
    assert one.begin == micros("2026-10-05T06:00:00-05:00")
    assert one.day(micros("2026-11-01T12:00:00+00:00")) == (
        micros("2026-11-01T00:00:00-05:00"),
        micros("2026-11-02T00:00:00-06:00"),
    ), "25 hours"
    assert pilot_of(PILOT.replace("06:00:00", "06:00:00Z")).begin == micros("2026-10-05T06:00:00Z")
    assert one.path == Path.parse("acme/dallas/packaging/line-1")
    assert pilot_of(PILOT.replace("packaging/line-1", "+/line-1")).path == Path.parse("acme/dallas")


def test_targets() -> None:
    targets = pilot_of(PILOT).targets
    assert [(one.name, one.change, one.value, one.better) for one in targets] == [
        ("changeover", -0.2, None, "lower"),
        ("scrap", None, 0.02, "lower"),
        ("oee", 0.1, None, None),
        ("unplanned_downtime", -0.2, None, "lower"),
    ]
    down = targets[3].formula
    assert down is not None
    assert down.formula == "(ADET) / minute / (base / (24 * hour))"
    assert targets[0].formula is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("2026-10-05T06:00:00", "2026-09-15", 2, "is before the baseline's end 2026-10-01: they may not overlap"),
        ("to: 2026-10-01", "to: 2026-08-01", 2, "from 2026-09-01 is not before to 2026-08-01"),
        (
            "filter: acme/dallas/packaging/line-1",
            "filter: acme/dallas/packaging/line-9",
            3,
            "names no place of the plant",
        ),
        ("filter: acme/dallas/packaging/line-1", 'filter: "+/dallas"', 3, "begin with its name"),
        ("America/Chicago", "Chicago", 5, "no time zone"),
        ("kpi: oee", "kpi: availabilty", 11, "iso22400@2 has no KPI 'availabilty'; did you mean 'availability'?"),
        ("measure: scrap", "measure: scrab", 10, "did you mean 'scrap'"),
        ("measure: scrap, value: 0.02", "measure: scrap", 10, "give either value or change"),
        ("measure: scrap, ", "measure: scrap, kpi: oee, ", 10, "either a kpi or a measure"),
        ('change: "-20 %"', 'change: "20 %"', 9, "change +20%, but lower is better"),
        ('change: "-20 %"', "change: less", 9, 'write "-20 %" or -0.2'),
        ('change: "-20 %"', "change: -1", 9, "nothing falls by all of itself"),
        ("elements: [ADET]", "elements: [DOWN]", 12, "iso22400@2 has no DOWN; give `elements`"),
        ("definition: iso22400@2", "definition: iso22400@9", 4, "'iso22400@9' is not known; did you mean"),
        ("measure: scrap, value: 0.02", "measure: changeover, value: 20", 2, "changeover twice"),
        ("since:", "untill: 2026-10-01\n    since:", 7, "did you mean 'until'"),
    ],
)
def test_what_is_wrong_is_named_at_its_line(old: str, new: str, line: int, words: str) -> None:
    problems = problems_of(pilot=PILOT.replace(old, new), plant=PLANT)
    said = "\n".join(map(str, problems))
    assert words in said
    assert {(problem.file, problem.line) for problem in problems} == {("pilot.yaml", line)}, said
