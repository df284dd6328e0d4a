"""The Grafana dashboard and the alerting rules speak of metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from prometheus_client import REGISTRY, Metric

from topology.namespace.path import Path as PlantPath
from uns.dlq.counting import OpenRecords
from uns.engine import metrics as engine
from uns.runners.connector.health import Machine
from uns.runners.connector.ledger import Ledger
from uns.runners.connector.service import _PUBLISH, ConnectorMetrics
from uns.runners.rollup.service import RollupMetrics
from uns.runners.sink.runner import SinkRunner
from uns.runners.sink.service import SinkMetrics
from uns.runtime.clocks import Clocks

ROOT = Path(__file__).parents[4] / "docs" / "grafana"
DASHBOARD = json.loads((ROOT / "uns-backbone.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "alerts.yaml").read_text(encoding="utf-8"))
CASES = yaml.safe_load((ROOT / "alerts.test.yaml").read_text(encoding="utf-8"))


class _Spool:
    """What the connector's metrics ask of a spool."""

    bytes, max_bytes = 0, 0

    def ledger(self) -> Ledger:
        return Ledger()


class _Source:
    reopened, clocks, errors, standby = 0, Clocks(), {"timeout": 0}, None

    def up(self) -> bool:
        return True

    def last_sample_age_s(self) -> float | None:
        return None

    def machines(self) -> dict[str, Machine]:
        return {}

    def watched(self) -> list[tuple[tuple[PlantPath, str], bool]]:
        return []


class _Connector:
    name, reloads, overflows, spool, source = "plc", 0, 0, _Spool(), _Source()


class _Rollups:
    """What the roll-ups' metrics ask of their runner."""

    sums = SimpleNamespace(records={}, outputs={}, transactions=0, derive_s=0.0, commit_s=0.0, restored_s=None)
    fold = SimpleNamespace(late={}, windows=0)


def exposed() -> set[str]:
    """Series that our parts expose."""
    assert engine.lag
    assert _PUBLISH
    found: set[str] = set()

    def take(families: Iterable[Metric]) -> None:
        for family in families:
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
            found.update(family.name + suffix for suffix in suffixes)

    take(metric for metric in REGISTRY.collect() if metric.name.startswith("uns_"))
    take(ConnectorMetrics(cast("Any", _Connector())).collect())
    take(RollupMetrics(cast("Any", _Rollups())).collect())
    take(OpenRecords(cast("Any", None), cast("Any", None)).collect())
    take(SinkMetrics(SinkRunner("mes", cast("Any", None), cast("Any", None))).collect())
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_every_metric_it_shows_exists(title: str, expression: str) -> None:
    named = set(re.findall(r"\buns_[a-z_]+", expression))
    assert named
    assert named <= exposed(), f"{title}: {sorted(named - exposed())} is exposed by nobody"


def test_panels_lie_beside_each_other_and_each_says_what_it_means() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (p["gridPos"]["x"] + dx, p["gridPos"]["y"] + dy)
        for p in panels
        for dx in range(p["gridPos"]["w"])
        for dy in range(p["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


def test_every_alert_says_what_to_do() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert all(rule["annotations"]["summary"] and rule["annotations"]["do"] for rule in rules)
    assert all(rule["labels"]["severity"] in ("warning", "critical") for rule in rules)


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    fires = {case["alertname"] for test in CASES["tests"] for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert fires == {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]}


def test_alerts_fire_as_their_cases_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: `apt-get install prometheus`")
    done = subprocess.run(
        [promtool, "test", "rules", "alerts.test.yaml"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
