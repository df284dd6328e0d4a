"""The plant folder: everything wrong is named at once, each at its file and line, with what to do."""

from collections.abc import Mapping
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.document import Problem, read
from topology.model.loader import PlantError, build, load
from topology.model.plant import Plant
from topology.model.tags import StateTag
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path

GOOD = """\
namespace:
  enterprise: acme
  sites:
    dallas:
      areas:
        packaging:
          partitions: 2
          lines:
            line-1:
              cells:
                filler: filler
                capper: {type: filler}
types:
  filler:
    ideal_cycle_s: 6.0
    tags:
      State: {role: state, map: packml}
      Good: {role: good_count, modulus: 65536}
"""


def plant_of(text: str, environ: Mapping[str, str] | None = None) -> Plant:
    return build([read("plant.yaml", text, environ or {})])[0]


def problems_of(**files: str) -> tuple[Problem, ...]:
    with pytest.raises(PlantError) as refused:
        build([read(f"{name}.yaml", text, {}) for name, text in sorted(files.items())])
    return refused.value.problems


def test_a_model_is_compiled() -> None:
    plant = plant_of(GOOD)
    line = "acme/dallas/packaging/line-1"
    assert [str(cell) for cell in plant.cells()] == [f"{line}/filler", f"{line}/capper"]
    assert plant.cells()[Path.parse(f"{line}/capper")].tag("good_count") == "Good"
    assert plant.areas() == {Path.parse("acme/dallas/packaging"): 2}
    assert plant.enterprise == Path.parse("acme")
    assert plant.kpi.definition == "iso22400@1"
    with pytest.raises(TypeError):
        plant.cells()[plant.enterprise] = plant.types["filler"]  # type: ignore[index]


# name → (text that takes the place of a text in GOOD, …). `# !` marks the lines that must be named, the rest must not.
CASES: dict[str, tuple[str, str, str]] = {
    "unknown key": ("partitions: 2", "partition: 2 # !", "unknown key namespace.sites.dallas.areas.packaging.partition; did you mean 'partitions'?"),
    "unknown top key": ("types:", "conectors: {} # !\ntypes:", "did you mean 'connectors'?"),
    "unknown key in a tag": ("modulus: 65536}", "modulo: 65536} # !", "types.filler.tags.Good.modulo; did you mean 'modulus'?"),
    "key far from any": ("{type: filler}", "{type: filler, colour: red} # !", "there are type"),
    "unknown role": ("role: state, map: packml}", "role: stat, map: packml} # !", "types.filler.tags.State.role: not known; did you mean 'state'?"),
    "unknown code map": ("map: packml}", "map: packlm} # !", "map 'packlm' is not known; did you mean 'packml'?"),
    "unknown state": ("map: packml}", "map: {4: idle, 6: runing}} # !", "code 6: 'runing' is no PackML state; there are aborted"),
    "map that is none": ("map: packml}", "map: [1]} # !", "types.filler.tags.State.map: text is expected; put quotes around it, or a mapping"),
    "modulus on a state": ("map: packml}", "modulus: 8} # !", "types.filler.tags.State.modulus is not read with role state: it belongs to role good_count, scrap_count, rework_count; take it out"),
    "roll-over of increments": ("modulus: 65536}", "modulus: 8, counts: increments} # !", "increments do not roll over"),
    "border of a total": ("modulus: 65536}", "border: end} # !", "border belongs to increments"),
    "a spread amount that starts": ("modulus: 65536}", "counts: increments, spread: since_last, border: start} # !", "leave border out"),
    "how far a point is spread": ("modulus: 65536}", "spread_max_s: 60} # !", "spread_max_s belongs to spread: since_last"),
    "increments of a state": ("map: packml}", "counts: increments} # !", "types.filler.tags.State.counts is not read with role state"),
    "map on a counter": ("modulus: 65536}", "map: packml} # !", "types.filler.tags.Good.map is not read with role good_count, scrap_count, rework_count: it belongs to role state or role mode or role reason; take it out"),
    "mode without map": ("{role: state, map: packml}", "{role: mode} # !", "types.filler.tags.State.map is missing"),
    "empty mode map": ("{role: state, map: packml}", "{role: mode, map: {}} # !", "role mode needs a map"),
    "limits of a state": ("map: packml}", "lsl: 1} # !", "types.filler.tags.State.lsl is not read with role state: it belongs to role characteristic; take it out"),
    "baseline of a counter": ("modulus: 65536}", "baseline: 30} # !", "tags.Good.baseline is not read with role good_count, scrap_count, rework_count: it belongs to role characteristic"),
    "target of a heartbeat": ("role: good_count, modulus: 65536}", "role: heartbeat, target: 3} # !", "tags.Good.target is not read with role heartbeat: it belongs to role characteristic"),
    "an option on a line of its own": ("{role: state, map: packml}", "\n        role: state\n        usl: 4 # !", "tags.State.usl is not read with role state"),
    "no role": ("{role: state, map: packml}", "{map: packml} # !", "types.filler.tags.State.role is missing"),
    "a tag that is a word": ("{role: state, map: packml}", "state # !", "types.filler.tags.State: a mapping (key: value) is expected"),
    "target beyond a limit": ("{role: state, map: packml}", "{role: characteristic, target: 7, usl: 4} # !", "target 7.0 is above usl 4.0"),
    "mode in capitals": ("{role: state, map: packml}", "{role: mode, map: {1: Production}} # !", "code 1: mode 'Production' is not known, and nothing would count it as 'production': write 'production'"),
    "mode with a slip": ("{role: state, map: packml}", "{role: mode, map: {1: production, 2: maintainance}} # !", "write 'maintenance'"),
    "category in capitals": ("    tags:", "    reasons:\n      201: {name: pump, category: Breakdown} # !\n    tags:", "reasons.201.category: category 'Breakdown' is not known, and nothing would count it as 'breakdown': write 'breakdown'"),
    "deadband of a tag with a slip": ("types:", "connectors:\n  c:\n    protocol: opcua\n    suppress:\n      deadband: {good: 1} # !\n    config: {}\ntypes:", "suppress.deadband.good: no type has the tag; did you mean 'Good'?"),
    "name of a rule with a slip": ("types:", "connectors:\n  c:\n    protocol: opcua\n    tags:\n      - {tag: DB1, name: good} # !\n    config: {}\ntypes:", "tags.0.name: no type has the tag; did you mean 'Good'?"),
    "a rule for a type with a slip": ("types:", "connectors:\n  c:\n    protocol: opcua\n    tags:\n      - {tag: DB1, type: filer} # !\n    config: {}\ntypes:", "tags.0.type: type 'filer' is not known; did you mean 'filler'?"),
    "a rule that holds states back": ("types:", "connectors:\n  c:\n    protocol: opcua\n    tags:\n      - {tag: S*, every_s: 1} # !\n    config: {}\ntypes:", "tags.0.every_s: it holds back values of State of type filler"),
    "units that do not go together": ("types:", "connectors:\n  c:\n    protocol: opcua\n    tags:\n      - {tag: T, unit: degF, to_unit: kWh} # !\n    config: {}\ntypes:", "degF and kWh measure different things"),
    "a derived tag that is no formula": ("types:", "connectors:\n  c:\n    protocol: opcua\n    derived:\n      - {tag: T, formula: 'open(1)'} # !\n    config: {}\ntypes:", "is not allowed in a formula"),
    "mode of a definition with a slip": ("types:", "kpi_definitions:\n  acme@1:\n    description: x\n    running: [execute]\n    time_model:\n      - {when: {mode: [Setup]}, element: AUST} # !\n      - {element: APT}\ntypes:", "mode 'Setup' is not known"),
    "reason of a definition with a slip": ("types:", "kpi_definitions:\n  acme@1:\n    description: x\n    running: [execute]\n    time_model:\n      - {when: {reason: [break-down]}, element: ADET} # !\n      - {element: APT}\ntypes:", "write 'breakdown'"),
    "a number beyond reason": ("partitions: 2", "partitions: 0x" + "f" * 6000 + " # !", "at most 64 bits"),
    "limits crossed": ("{role: state, map: packml}", "{role: characteristic, lsl: 5, usl: 4} # !", "lsl 5.0 is not below usl 4.0"),
    "cell type unknown": ("filler: filler", "filler: filer # !", "equipment type 'filer' is not defined; did you mean 'filler'?"),
    "cell that is a list": ("filler: filler", "filler: [filler] # !", "cells.filler: a mapping (key: value) is expected"),
    "upper case": ("line-1:", "Line_1: # !", "did you mean 'line-1'?"),
    "class as a name": ("packaging:", "raw: # !", "'raw' is a message class"),
    "number as a name": ("filler: filler", "7: filler # !", "text is expected; put quotes around it"),
    "path as a name": ("filler: filler", "a/b: filler # !", "'a/b' is a path; one name is expected here"),
    "the same machine twice": ("filler: filler", "filler: filler\n                filler: filler # !", "'filler' stands here and on line 11"),
    "no partition": ("partitions: 2", "partitions: 0 # !", "partitions: must be greater than or equal to 1"),
    "words for a number": ("partitions: 2", "partitions: many # !", "a whole number is expected"),
    "reason without category": ("    tags:", "    reasons: # !\n      201: {name: x}\n    tags:", "reason 201 (x) has no category, and no parent"),
    "lateness beyond the horizon": ("types:", "time: {lateness_s: 7200, horizon_h: 1} # !\ntypes:", "lateness_s 7200.0 is not below the horizon of 1 h"),
    "unknown definition": ("types:", "kpi:\n  definition: iso22401@1 # !\ntypes:", "'iso22401@1' is not known; did you mean 'iso22400@1'?"),
    "bad filter": ("types:", "sinks:\n  h:\n    kind: h\n    subscribe:\n      filter: acme/#/x # !\n      classes: [raw]\ntypes:", "'#' may only be the last level"),
    "unknown class": ("types:", "sinks:\n  h:\n    kind: h\n    subscribe:\n      filter: acme/#\n      classes: [raw, staet] # !\ntypes:", "sinks.h.subscribe.classes.1: not known; did you mean 'state'?"),
    "only unknown classes": ("types:", "sinks:\n  h:\n    kind: h\n    subscribe: {filter: acme/#, classes: [staet]} # !\ntypes:", "did you mean 'state'?"),
    "no class": ("types:", "sinks:\n  h:\n    kind: h\n    subscribe: {filter: acme/#, classes: []} # !\ntypes:", "must have at least 1 item"),
    "access to one line": ("types:", "access:\n  - {principal: 'User:x', filter: acme/dallas/packaging/line-1/#} # !\ntypes:", "Kafka grants whole topics"),
    "access to what is no user": ("types:", "access:\n  - {principal: x, filter: acme/#} # !\ntypes:", "access.0.principal: must match"),
    "not in the environment": ("types:", "connectors:\n  c:\n    protocol: opcua\n    config:\n      url: '${NOPE}' # !\ntypes:", "${NOPE} is not set in the environment"),
    "bottleneck that is elsewhere": ("line-1:\n", "line-1: # !\n              bottleneck: labeller\n", "bottleneck 'labeller' is no cell of the line; there are filler, capper"),
    "key that is a mapping": ("    tags:", "    {a: b}: 1 # !\n    tags:", "a key is one word"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_problem_is_named_at_its_line_with_what_to_do(name: str) -> None:
    before, after, words = CASES[name]
    assert GOOD.count(before) == 1
    text = GOOD.replace(before, after)
    marked = [number for number, line in enumerate(text.splitlines(), 1) if "# !" in line]
    found = problems_of(plant=text)
    assert [problem.line for problem in found] == marked
    assert words in str(found[0])
    assert str(found[0]).startswith(f"plant.yaml:{found[0].line}: ")


def test_a_bottleneck_that_speaks_for_its_line_counts() -> None:
    line = "line-1:\n              kpi_rule: bottleneck\n              bottleneck: capper\n"
    text = GOOD.replace("line-1:\n", line)
    assert plant_of(text).namespace.sites["dallas"].areas["packaging"].lines["line-1"].bottleneck == "capper"
    (found,) = problems_of(plant=text.replace("role: good_count, modulus: 65536", "role: heartbeat"))
    assert found.line == 11
    assert "capper counts no pieces" in str(found)


def test_what_is_missing_is_named_where_its_surroundings_begin() -> None:
    (found,) = problems_of(plant=GOOD.replace("    ideal_cycle_s: 6.0\n", ""))
    assert (found.line, found.message) == (14, "types.filler.ideal_cycle_s is missing")


def test_two_tags_with_one_role_are_named() -> None:
    (found,) = problems_of(plant=GOOD + "      State2: {role: state}\n")
    assert (found.line, found.message) == (14, "types.filler: role state has 2 tags (State, State2); one is possible")


def test_an_alias_to_itself_is_refused() -> None:
    (found,) = problems_of(plant="namespace: &a\n  enterprise: *a\n")
    assert "an alias here refers to what it is part of" in found.message


def test_all_problems_come_at_once() -> None:
    text = GOOD.replace("partitions: 2", "partitions: 0").replace("filler: filler", "filler: filer")
    text = text.replace("role: state", "role: stat").replace("types:", "kpi: {definition: x@9}\ntypes:")
    assert [problem.line for problem in problems_of(plant=text)] == [7, 11, 13, 18]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "namespace is missing"),
        ("- 1\n", 1, "a mapping with namespace, types"),
        ("a: [\n", 2, "not YAML"),
        ("a: 1\nb: \x01\n", 2, "not YAML: character '\\x01'"),
        ("a: 1\n---\nb: 1\n", 2, "another document"),
        ("a: 2026-13-45\n", 1, "cannot be read"),
        ("a: !!timestamp x\n", 1, "cannot be read as tag:yaml.org,2002:timestamp"),
        ("a:\n " + "[" * 100_000, 2, "more than 64 deep"),
        ("".join(" " * depth + "a:\n" for depth in range(2_000)), 65, "more than 64 deep"),
        ("a: &a [1]\nk0: &k0 [*a]\n" + "".join(f"k{n}: &k{n} [*k{n - 1}]\n" for n in range(1, 2_000)), 1, "64 deep"),
    ],
)
def test_what_is_no_model_is_said(text: str, line: int, words: str) -> None:
    found = problems_of(plant=text)
    assert found[0].line == line
    assert words in found[0].message


def test_an_alias_of_aliases_has_an_end() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert any("more than 1000000 values" in found.message for found in problems_of(plant=text))


@pytest.mark.parametrize("turned", [GOOD[::-1], "\n".join(reversed(GOOD.splitlines())), GOOD.replace("\n", "\n ")])
def test_a_model_upside_down_is_problems_with_lines(turned: str) -> None:
    found = problems_of(plant=turned)
    assert all(1 <= problem.line <= len(turned.splitlines()) + 1 for problem in found)


def test_a_big_model_that_is_wrong_everywhere_is_told_line_by_line() -> None:
    cells = "".join(f"                cell-{number}: filer\n" for number in range(1_000))
    found = problems_of(plant=GOOD.replace("                filler: filler\n", cells))
    assert [problem.line for problem in found] == list(range(11, 1_011))


def test_a_place_in_the_model_comes_with_each_problem() -> None:
    (found,) = problems_of(plant=GOOD.replace("partitions: 2", "partitions: 0"))
    assert found.where == "namespace.sites.dallas.areas.packaging.partitions"


# -- several files ---------------------------------------------------------------------------------------------

SITE = """\
namespace:
  sites:
    leipzig:
      areas:
        packaging:
          lines:
            line-1:
              cells: {filler: filler}
"""


def test_a_site_may_have_its_own_file() -> None:
    plant = build([read("a.yaml", GOOD, {}), read("b.yaml", SITE, {})])[0]
    assert {str(area) for area in plant.areas()} == {"acme/dallas/packaging", "acme/leipzig/packaging"}


def test_two_machines_with_one_path_are_named_in_both_files() -> None:
    other = SITE.replace("leipzig", "dallas")
    (found,) = problems_of(a=GOOD, b=other)
    assert (found.file, found.line) == ("b.yaml", 8)
    assert "cells.filler is defined at a.yaml:11 already" in found.message


def test_a_type_defined_twice_is_named_in_both_files() -> None:
    (found,) = problems_of(a=GOOD, b="types:\n  other: {ideal_cycle_s: 1, tags: {}}\n  filler: {}\n")
    assert (found.file, found.line) == ("b.yaml", 3)
    assert "types.filler is defined at a.yaml:14 already" in found.message


def test_a_problem_is_named_in_the_file_that_has_it() -> None:
    (found,) = problems_of(a=GOOD, b=SITE.replace("filler: filler", "filler: filer"))
    assert (found.file, found.line) == ("b.yaml", 8)


def test_a_heading_without_entries_is_empty() -> None:
    assert plant_of(GOOD + "connectors:\nsinks: # none yet\n").connectors == {}


def test_a_folder_is_read(tmp_path: FilePath) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yml").write_text(SITE)
    (tmp_path / "notes.txt").write_text("not ours")
    assert len(load(tmp_path, {}).cells()) == 3
    assert len(load(tmp_path / "a.yaml", {}).cells()) == 2


def test_a_folder_without_a_model_says_what_to_do(tmp_path: FilePath) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(PlantError, match="uns init"):
            load(folder, {})


def test_a_file_in_another_encoding_is_said(tmp_path: FilePath) -> None:
    (tmp_path / "a.yaml").write_bytes(GOOD.replace("acme", "Köln").encode("latin-1"))
    with pytest.raises(PlantError, match=r"a\.yaml:1: not UTF-8"):
        load(tmp_path, {})


# -- values ----------------------------------------------------------------------------------------------------


def test_the_environment_fills_in() -> None:
    text = (
        GOOD + "connectors:\n  c: {protocol: opcua, config: {url: 'opc.tcp://${HOST}:${PORT:-4840}', note: '${X:-}'}}\n"
    )
    config = plant_of(text, {"HOST": "plc", "OTHER": "x"}).connectors["c"].config
    assert config == {"url": "opc.tcp://plc:4840", "note": ""}


def test_what_the_environment_says_is_text_not_yaml() -> None:
    text = GOOD + "connectors:\n  c: {protocol: opcua, config: {url: '${HOST}'}}\n"
    assert plant_of(text, {"HOST": "{a: [1"}).connectors["c"].config == {"url": "{a: [1"}


def test_a_secret_is_not_repeated_in_a_problem() -> None:
    text = GOOD.replace("partitions: 2", "partitions: ${SECRET}")
    with pytest.raises(PlantError) as refused:
        plant_of(text, {"SECRET": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_types_may_share_by_yaml_anchors() -> None:
    text = (
        GOOD.replace("  filler:\n    ideal", "  filler: &filler\n    ideal")
        + "  capper:\n    <<: *filler\n    ideal_cycle_s: 2\n"
    )
    types = plant_of(text).types
    assert types["capper"].tags == types["filler"].tags
    assert (types["filler"].ideal_cycle_s, types["capper"].ideal_cycle_s) == (6.0, 2.0)


def state_codes(text: str) -> Mapping[int | str, str]:
    tag = plant_of(text).types["filler"].tags["State"]
    assert isinstance(tag, StateTag)
    return tag.codes


def test_numbers_of_states_are_tr88s_unless_the_source_has_its_own() -> None:
    codes = state_codes(GOOD)
    assert (codes[0], codes[2], codes[6], codes[11], codes[17]) == ("unknown", "stopped", "execute", "held", "complete")
    own = state_codes(GOOD.replace("map: packml", "map: {0: stopped, 4: execute, RUN: execute}"))
    assert own == {0: "stopped", 4: "execute", "RUN": "execute"}


def test_units_and_targets_are_known_by_machine_and_tag() -> None:
    plant = plant_of(
        GOOD
        + "      Volume: {role: characteristic, unit: ml, target: 500}\n      Torque: {role: characteristic}\n"
        + "      Energy: {role: energy, unit: kWh}\n"
    )
    line = "acme/dallas/packaging/line-1"
    assert plant.targets == {(f"{line}/{cell}", "Volume"): 500.0 for cell in ("filler", "capper")}
    assert plant.units == {
        (f"{line}/{cell}", tag): unit
        for cell in ("filler", "capper")
        for tag, unit in (("Volume", "ml"), ("Energy", "kWh"))
    }


def test_a_sink_names_classes() -> None:
    plant = plant_of(GOOD + "sinks:\n  h: {kind: historian, subscribe: {filter: 'acme/#', classes: [raw, oee]}}\n")
    assert plant.sinks["h"].subscribe.classes == (MessageClass.RAW, MessageClass.OEE)


LINES = GOOD.splitlines(keepends=True)


@given(st.integers(0, len(LINES)), st.integers(0, 3), st.text(alphabet="ab: {}[]&*<'\"#-|!\n\t0$", max_size=20))
def test_any_text_is_a_model_or_problems_with_lines(at: int, gone: int, put: str) -> None:
    text = "".join([*LINES[:at], put, *LINES[at + gone :]])
    problems: tuple[Problem, ...] = ()
    try:
        assert plant_of(text).enterprise
    except PlantError as error:
        problems = error.problems
    assert all(1 <= problem.line <= len(text.splitlines()) + 1 and problem.message for problem in problems)
