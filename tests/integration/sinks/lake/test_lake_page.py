"""Every block of docs/lake.md is run as it stands there, over a lake that the sink has written; only the folder is another."""

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from schemas.records import Record, Sample, Samples
from sinks.base import Delivery
from sinks.lake import spec
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass
from uns.testing import downtime

PAGE = (Path(__file__).parents[4] / "docs" / "lake.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
ICEBERG = re.findall(r"```python iceberg\n(.*?)```", PAGE, flags=re.DOTALL)


def records() -> list[Record]:
    """An hour of a speed, three stops (one corrected, one taken back), and a shift's KPIs."""
    speeds = [Samples("plc", n, (Sample("Speed", T + n * 10_000_000, 60 + n % 6),)) for n in range(360)]
    bad = Samples("plc", 360, (Sample("Speed", T + 5_000_000, 9999.0, 0x80000000),))
    stops = [downtime(1, reason="jam"), downtime(1, revision=1, reason="drive"), downtime(2, reason="jam")]
    gone = downtime(3, reason="jam")
    taken_back = msgspec.structs.replace(downtime(3, revision=1, reason="jam"), ended_at=gone.started_at)
    kpi = next(record for record in EXAMPLES if type(record).__name__ == "Kpi")
    return [*speeds, bad, *stops, gone, taken_back, kpi]


async def write(config: dict[str, Any]) -> None:
    sink = spec.build("lake", spec.config.model_validate({**config, "commit_s": 0}), Path())
    await sink.open()
    offsets: dict[str, int] = {}
    deliveries = []
    for record in records():
        message_class = MessageClass(type(record).message_class)
        topic = f"uns.acme.dallas.packaging.{message_class}"
        deliveries.append(Delivery(topic, 0, offsets.get(topic, 0), PATH, message_class, record, T))
        offsets[topic] = offsets.get(topic, 0) + 1
    assert await sink.write(deliveries, {(topic, 0): end for topic, end in offsets.items()}) == []
    await sink.close()


def test_the_page_says_how_and_it_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(tmp_path / "lake")
    asyncio.run(write({"url": url}))
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(block.replace("/data/lake", url), names)
    speed = names["speed"].fetchall()
    assert len(speed) == 61  # it begins within a minute
    assert {greatest for *_, greatest in speed} <= {61.0, 65.0}  # the last minute is short; and nothing of bad quality
    assert sorted(names["pareto"].fetchall()) == [("drive", 1, 0.5), ("jam", 1, 0.5)]
    assert len(names["wide"]) == 361
    printed = capsys.readouterr().out
    assert "drive fault" in printed
    assert "0.8333" in printed


def test_its_part_on_iceberg_works_too(tmp_path: Path) -> None:
    url = str(tmp_path / "warehouse")
    asyncio.run(write({"url": url, "format": "iceberg", "catalog": f"sqlite:///{url}/catalog.db"}))
    names: dict[str, Any] = {}
    [block] = ICEBERG
    exec(block.replace("/data/warehouse", url), names)
    assert names["pareto"].fetchall() == [("jam", 4), ("drive", 1)]


def test_its_yaml_are_sinks() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    [[lake], [warehouse]] = [yaml.safe_load(block)["sinks"].values() for block in blocks]
    assert spec.config.model_validate(lake["config"]).url == "/data/lake"
    assert spec.config.model_validate(warehouse["config"]).format == "iceberg"
