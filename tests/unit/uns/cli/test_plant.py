"""`uns init` and `uns lint`: from nothing to a checked plant, and every mistake at its line."""

import importlib.resources
import json
import shlex
import sys
from pathlib import Path

import pytest

from topology.model.loader import load
from uns.cli.app import main
from uns.runtime.settings import settings

PLANT = """\
namespace:
  enterprise: acme
  sites:
    dallas:
      areas:
        packaging:
          lines:
            line-1:
              cells: {filler: filler}
types:
  filler: {ideal_cycle_s: 6, tags: {}}
connectors:
  plc:
    protocol: opcua
    config:
      url: opc.tcp://127.0.0.1:4840
      machines:
        - path: acme/dallas/packaging/line-1/filler
          node: i=85
  broker:
    protocol: mqtt
    config:
      broker: mqtt://127.0.0.1:1883
      client_id: uns
      subscriptions:
        - {topic: "orders", path: acme/dallas/packaging/line-1, payload: order}
sinks:
  historian:
    kind: historian
    subscribe:
      filter: acme/#
      classes: [raw]
    config: {dsn: "postgresql://u:hunter2@127.0.0.1/x"}
"""


class Uns:
    """The `uns` command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        self._monkeypatch.setattr(sys, "argv", ["uns", *map(str, arguments)])
        settings.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture
def uns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Uns:
    return Uns(monkeypatch, capsys)


def folder_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "plant.yaml").write_text(text)
    return tmp_path


def test_a_good_plant_has_no_problems(uns: Uns, tmp_path: Path) -> None:
    code, out, _ = uns("lint", folder_with(tmp_path, PLANT))
    assert code == 0
    assert out == f"{tmp_path}: 1 machines, 2 connectors, 1 sinks; no problems\n"


def test_the_folder_comes_from_the_environment(uns: Uns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNS_PLANT", str(folder_with(tmp_path, PLANT)))
    assert uns("lint")[0] == 0


# `# !` marks the line that must be named, and no other.
CASES = {
    "unknown protocol": ("protocol: opcua", "protocol: opcau # !", "opcau"),
    "unknown key of a connector": ("url: opc.tcp", "publish_intervall_ms: 100 # !\n      url: opc.tcp", "did you mean 'publish_interval_ms'?"),
    "unknown key deep in a connector": ("node: i=85", "node: i=85\n          nodes: x # !", "did you mean 'node'?"),
    "bad address": ("url: opc.tcp:", "url: http:x # !", "opc.tcp://host:4840 is expected"),
    "bad node": ("node: i=85", "node: nonsense # !", "is no node id"),
    "path of a stranger": ("- path: acme/dallas/packaging/line-1/filler", "- path: acme/dallas/packaging/line-1/filer # !", "did you mean acme/dallas/packaging/line-1/filler?"),
    "line of a stranger": ('line-1, payload: order}', 'line-9, payload: order} # !', "did you mean acme/dallas/packaging/line-1?"),
    "topic without an end": ('- {topic: "orders", path: acme/dallas/packaging/line-1, payload: order}', '- {topic: "orders/{line", path: acme/dallas/packaging/line-1, payload: order} # !', "is no MQTT topic filter"),
    "part that the topic does not name": ('- {topic: "orders", path: acme/dallas/packaging/line-1, payload: order}', '- {topic: "orders/{l}", path: "acme/dallas/packaging/{line}"} # !', "names no line; its names: l"),
    "no JMESPath": ("payload: order}", "payload: object,\n           fields: {A: switch:0}} # !", "stands in double quotes"),
    "profile without what it needs": ("      subscriptions:\n        - {topic", "      profiles:\n        - {profile: tasmota} # !\n      subscriptions:\n        - {topic", "profile tasmota needs path and zone"),
    "unknown sink": ("kind: historian", "kind: historain # !", "historain"),
    "bad option of a sink": ('config: {dsn: "postgresql://u:hunter2@127.0.0.1/x"}', 'config: {dsn: ""} # !', "the connection string is empty"),
    "filter that matches nothing": ("filter: acme/#", "filter: acmee/# # !", "sinks.historian.subscribe.filter: 'acmee/#' matches no path of this plant"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_named_at_its_line(uns: Uns, tmp_path: Path, name: str) -> None:
    before, after, words = CASES[name]
    assert PLANT.count(before) == 1
    text = PLANT.replace(before, after)
    (marked,) = [number for number, line in enumerate(text.splitlines(), 1) if "# !" in line]
    code, out, _ = uns("lint", folder_with(tmp_path, text), "--json")
    assert code == 1
    (problem,) = json.loads(out)
    assert (problem["file"], problem["line"]) == (str(tmp_path / "plant.yaml"), marked)
    assert words in problem["message"]


def test_a_warning_alone_does_not_fail(uns: Uns, tmp_path: Path) -> None:
    text = PLANT.replace("tags: {}", "tags: {}, reasons: {1: {name: no one, category: organisational}}")
    code, out, _ = uns("lint", folder_with(tmp_path, text))
    assert (code, out.splitlines()[1]) == (0, f"{tmp_path}: 1 machines, 2 connectors, 1 sinks; 1 warning")
    assert out.startswith(f"{tmp_path}/plant.yaml:11: warning: types.filler.reasons.1.category")
    code, out, _ = uns("lint", tmp_path, "--json")
    assert (code, [problem["warning"] for problem in json.loads(out)]) == (0, [True])


def test_problems_are_for_people_without_json(uns: Uns, tmp_path: Path) -> None:
    code, out, err = uns("lint", folder_with(tmp_path, PLANT.replace("node: i=85", "nodes: i=85")))
    assert code == 1
    assert out.startswith(f"{tmp_path}/plant.yaml:19: unknown key connectors.plc.config.machines.0.nodes; did you mean")
    assert "Traceback" not in out + err


def test_a_secret_is_not_shown(uns: Uns, tmp_path: Path) -> None:
    text = PLANT.replace("config: {dsn", "config: {schema_name: 'X Y', dsn")
    code, out, err = uns("lint", folder_with(tmp_path, text))
    assert code == 1
    assert "hunter2" not in out + err


def test_the_demos_plant_is_an_example_without_problems(uns: Uns) -> None:
    code, out, _ = uns("lint", importlib.resources.files("uns.demo") / "plant_model")
    assert code == 0
    assert "12 machines, 3 connectors, 3 sinks; no problems" in out


@pytest.mark.parametrize(
    ("source", "protocol"),
    [
        ((), "opcua"),
        (("--opcua", "opc.tcp://10.0.0.7:4840"), "opcua"),
        (("--mqtt", "mqtt://10.0.0.8:1883"), "mqtt"),
    ],
)
def test_what_init_writes_has_no_problems(uns: Uns, tmp_path: Path, source: tuple[str, ...], protocol: str) -> None:
    folder = tmp_path / "mine"
    code, out, _ = uns("init", folder, *source)
    assert code == 0
    assert f"uns lint {folder}" in out
    assert uns("lint", folder)[0] == 0
    plant = load(folder, {})
    assert [connector.protocol for connector in plant.connectors.values()] == [protocol]
    assert len(plant.cells()) == 1
    if source:
        assert source[1] in json.dumps([connector.config for connector in plant.connectors.values()])


def test_the_next_commands_that_init_names_are_there(uns: Uns, tmp_path: Path) -> None:
    _, out, _ = uns("init", tmp_path / "mine")
    named = [shlex.split(line, comments=True) for line in out.splitlines() if line.startswith("  uns ")]
    assert len(named) == 3
    assert uns("no-such-command", "--help")[0] != 0
    for command in named:
        assert uns(*command[1:], "--help")[0] == 0, command


def test_init_overwrites_nothing(uns: Uns, tmp_path: Path) -> None:
    (tmp_path / "types.yaml").write_text("mine")
    code, _, err = uns("init", tmp_path)
    assert code == 1
    assert "has types.yaml already" in err
    assert [file.name for file in tmp_path.iterdir()] == ["types.yaml"]
    assert (tmp_path / "types.yaml").read_text() == "mine"


def test_init_takes_one_source(uns: Uns, tmp_path: Path) -> None:
    code, _, err = uns("init", tmp_path / "x", "--opcua", "opc.tcp://a:1", "--mqtt", "mqtt://b:1")
    assert code == 1
    assert "one source to begin with" in err


def test_apply_without_a_cluster_says_what_to_set(uns: Uns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNS_BOOTSTRAP", raising=False)
    monkeypatch.setenv("UNS_STATE_DIR", str(tmp_path / "state"))
    code, _, err = uns("apply", folder_with(tmp_path, PLANT))
    assert code == 1
    assert "UNS_BOOTSTRAP" in err


def test_shifts_show_a_night_at_its_true_length(uns: Uns, tmp_path: Path) -> None:
    calendar = """
shifts:
  dallas:
    filter: acme/dallas/#
    zone: America/Chicago
    shifts: {night: {begin: "22:00", end: "06:00", breaks: [{begin: "03:30", end: "04:00"}]}}
"""
    (tmp_path / "plant.yaml").write_text(PLANT + calendar)
    line = "acme/dallas/packaging/line-1"
    code, out, _ = uns("shifts", line, "--plant", tmp_path, "--from", "2026-10-31", "--days", "2")
    assert code == 0
    assert out.splitlines() == [
        "Sat 2026-10-31 22:00 CDT to Sun 06:00 CST   9.00 h, breaks 30 min  2026-10-31-night",
        "Sun 2026-11-01 22:00 CST to Mon 06:00 CST   8.00 h, breaks 30 min  2026-11-01-night",
    ]
    code, out, _ = uns("shifts", line, "--plant", tmp_path, "--days", "3", "--json")
    assert [shift["name"] for shift in json.loads(out)] == ["night"] * 3
    code, _, err = uns("shifts", "acme/dallas/packaging/line-2", "--plant", tmp_path)
    assert (code, err) == (
        1,
        "uns: acme/dallas/packaging/line-2: no calendar holds for it; lines with one: " + line + "\n",
    )
    code, _, err = uns("shifts", line, "--plant", tmp_path, "--from", "tomorrow")
    assert code == 1
    assert "is no date" in err
