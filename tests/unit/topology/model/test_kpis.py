"""Governance: what is wrong with a plant's definitions is named at its line; a site may only add; versions stay."""

import importlib.resources
from pathlib import Path

import pytest

from topology.document import Problem, read
from topology.kpi.definition import definition
from topology.model.kpis import selected
from topology.model.loader import PlantError, build, build_definition

PLANT = """\
namespace:
  enterprise: acme
  sites: {dallas: {areas: {packaging: {lines: {line-1: {cells: {filler: filler}}}}}}}
types:
  filler: {ideal_cycle_s: 6, tags: {}}
"""
OWN = """\
kpi_definitions:
  acme@1:
    description: ours
    running: [execute]
    time_model: [{element: APT}]
    totals: {PBT: base}
    kpis:
      availability: {name: Availability, formula: APT / PBT, trend: higher_is_better}
"""
SITE = """\
namespace:
  sites:
    dallas:
      kpis:
        my_yield: {name: Yield, formula: GQ / PQ, trend: higher_is_better}
"""


def problems_of(**files: str) -> tuple[Problem, ...]:
    with pytest.raises(PlantError) as refused:
        build([read(f"{name}.yaml", text, {}) for name, text in sorted(files.items())])
    return refused.value.problems


def said(*problems: Problem) -> str:
    return "\n".join(map(str, problems))


def test_a_plant_may_have_definitions_of_its_own() -> None:
    plant, _ = build([read("kpi.yaml", OWN, {}), read("plant.yaml", PLANT, {})])
    assert list(plant.kpi_definitions) == ["acme@1"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("formula: APT / PBT", "formula: APT / PTB", 8, "'PTB' is not known; did you mean 'PBT'?"),
        ("formula: APT / PBT", "formula: PRI * GQ / PBT", 8, "write sum(PRI * …)"),
        ("formula: APT / PBT", "formula: sum(PRI * APT)", 8, "'APT' is not known of a product"),
        ("formula: APT / PBT", "formula: availability + 1", 8, "rests on itself: availability → availability"),
        ("formula: APT / PBT", "formula: APT ** PBT", 8, "'APT ** PBT' is not allowed"),
        ("{PBT: base}", "{PBT: base, X: Y, Y: X}", 6, "rests on itself: X → Y → X"),
        ("{PBT: base}", "{PBT: base, APT: base}", 6, "'APT' means something else already"),
        ("description: ours", "descripton: ours", 3, "did you mean 'description'?"),
        ("description: ours", "description: ours\n    seal: abc", 4, "was changed after it was sealed"),
        ("acme@1", "acme", 2, "a key name@version is expected, e.g. acme@1"),
        ("[{element: APT}]", "[{element: APX}]", 2, "APX: no element; did you mean 'APT'?"),
        ("higher_is_better", "higher_is_beter", 8, "not known; did you mean 'higher_is_better'?"),
    ],
)
def test_what_is_wrong_is_named_at_its_line(old: str, new: str, line: int, words: str) -> None:
    found = problems_of(kpi=OWN.replace(old, new, 1), plant=PLANT)
    assert any(one.file == "kpi.yaml" and one.line == line and words in one.message for one in found), said(*found)


def test_the_example_on_the_page_is_right() -> None:
    page = (Path(__file__).parents[4] / "docs" / "kpi.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    plant, _ = build([read("kpi.yaml", example, {}), read("plant.yaml", PLANT, {})])
    assert list(plant.kpi_definitions) == ["acme@1"]


def test_a_label_stands_for_one_content() -> None:
    assert "iso22400@1 is shipped with other content" in said(
        *problems_of(kpi=OWN.replace("acme@1", "iso22400@1"), plant=PLANT)
    )
    assert "kpi_definitions.acme@1 is defined at a.yaml:2 already" in said(*problems_of(a=OWN, b=OWN, plant=PLANT))
    assert "a key name@version is expected, e.g. acme@2" in said(
        *problems_of(kpi=OWN.replace("description", "version: 2\n    description"), plant=PLANT)
    )


def test_a_sealed_version_that_was_not_changed_is_fine() -> None:
    first = build_definition(read("d.yaml", _file(), {}))
    assert build_definition(read("d.yaml", _file() + f"seal: {first.fingerprint}\n", {})).label == "vdi3423@1"
    with pytest.raises(PlantError, match=r"d.yaml:\d+: version: vdi3423@1 is shipped|d.yaml:\d+: vdi3423@1 is shipped"):
        build_definition(read("d.yaml", _file().replace("T_B - T_T)", "T_B - T_O)", 1), {}))


def _file() -> str:
    folder = importlib.resources.files("topology") / "kpi" / "definitions"
    return (folder / "vdi3423-1.yaml").read_text(encoding="utf-8")


def test_a_site_may_only_add() -> None:
    select = "kpi: {definition: acme@1}\n"
    override = SITE.replace("my_yield", "availability")
    found = problems_of(kpi=OWN + select, plant=PLANT, site=override)
    assert any(
        one.file == "site.yaml" and one.line == 5 and "acme@1 defines it at kpi.yaml:8 for all sites" in one.message
        for one in found
    ), said(*found)
    wrong = problems_of(plant=PLANT, site=SITE.replace("GQ / PQ", "GQ / PQQ"))
    assert any(one.line == 5 and "'PQQ' is not known; did you mean" in one.message for one in wrong), said(*wrong)


def test_every_definition_can_be_selected() -> None:
    for label in ("iso22400@2", "nakajima@1", "semi-e79@1", "vdi3423@1"):
        plant, _ = build([read("plant.yaml", PLANT + f"kpi: {{definition: {label}}}\n", {})])
        assert selected(plant) == definition(label)
    own = [read("kpi.yaml", OWN, {}), read("plant.yaml", PLANT + "kpi: {definition: acme@1}\n", {})]
    plant, _ = build([*own, read("site.yaml", SITE, {})])
    assert selected(plant).label == "acme@1"
    assert list(plant.namespace.sites["dallas"].kpis) == ["my_yield"]


def test_iso22400_1_is_what_it_always_was() -> None:
    found = definition("iso22400@1")
    rules = [(rule.when.state, rule.when.mode, rule.when.order, rule.element) for rule in found.time_model]
    assert rules == [
        (("unknown",), None, None, "unknown"),
        (None, ("maintenance",), None, "PDOT"),
        (None, ("setup",), None, "AUST"),
        (("execute",), ("production",), None, "APT"),
        (None, None, True, "ADET"),
        (None, None, None, "ADOT"),
    ]
    assert definition("iso22400@2").time_model == found.time_model
    assert (found.element("execute", "production", True, "break"), found.element("held", "setup", False, "unplanned")) == ("PDOT", "unplanned")  # fmt: skip
