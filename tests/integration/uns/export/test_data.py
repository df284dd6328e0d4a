"""`uns export data` over a real Kafka and a real historian: each sample once, wherever it is kept; and the page's examples."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import nbformat
import psycopg
import pytest
import yaml
from confluent_kafka import TopicPartition
from nbclient import NotebookClient
from psycopg import sql

from schemas.records import Downtime, Oee, Record, Sample, Samples
from sinks.base import Delivery
from sinks.historian.config import HistorianConfig
from tests.harness.line_logs import plant
from tests.harness.own_area import OwnArea
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass
from uns.kafka import clients
from uns.model.components import sink_spec

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[4]
HOUR = 3_600_000_000


@pytest.fixture
def area(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> OwnArea:
    return OwnArea(kafka, registry, enterprise, tmp_path)


@pytest.fixture
def database(postgres: str, enterprise: str) -> Iterator[dict[str, Any]]:
    schema = enterprise.replace("-", "_")
    yield {"dsn": postgres, "schema_name": schema}
    with psycopg.connect(postgres) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def folder_of(area: OwnArea, folder: Path, config: dict[str, Any] | None) -> Path:
    """The plant model, with a historian or without."""
    model = plant().model_dump(mode="json", exclude_unset=True)
    model["namespace"]["enterprise"], model["kpi_definitions"] = area.enterprise, {}
    if config is not None:
        subscribe = {"filter": f"{area.enterprise}/#", "classes": ["raw", "oee"]}
        model["sinks"] = {"history": {"kind": "historian", "subscribe": subscribe, "config": config}}
    made = folder / "plant"
    made.mkdir(exist_ok=True)
    (made / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    return made


def uns(area: OwnArea, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {
        "UNS_BOOTSTRAP": str(area.settings.bootstrap),
        "UNS_REGISTRY": str(area.settings.registry),
        "UNS_STATE_DIR": str(folder),
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "uns", *words]
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def exported(area: OwnArea, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    span = ["--from", "2026-11-18T00:00:00Z", "--to", "2026-11-19T00:00:00Z"]
    out = ["--out", "out", "--plant", str(folder / "plant")]
    return uns(area, folder, "export", "data", f"{area.enterprise}/#", *span, *out, *words)


def put(area: OwnArea, record: Record, at: int) -> None:
    """With Kafka's time as its own."""
    producer = clients.producer(area.settings)
    key = PATH.replace("acme", area.enterprise, 1).encode()
    producer.produce(area.topic(MessageClass.RAW), area.codec.encode(record), key, 0, timestamp=at // 1000)
    assert producer.flush(30) == 0


def keep(area: OwnArea, config: dict[str, Any], *records: Record) -> None:
    """In the historian."""

    async def go() -> None:
        spec = sink_spec("historian")
        sink = spec.build("history", HistorianConfig.model_validate(config), area.settings.state_dir)
        await sink.open()
        path = PATH.replace("acme", area.enterprise, 1)
        kinds = [MessageClass.OEE if isinstance(record, Oee) else MessageClass.RAW for record in records]
        deliveries = [
            Delivery(area.topic(kind), 0, number, path, kind, record, T)
            for number, (kind, record) in enumerate(zip(kinds, records, strict=True))
        ]
        assert await sink.write(deliveries, {}) == []
        await sink.close()

    asyncio.run(go())


def asked(query: str) -> list[Any]:
    found = duckdb.sql(query)
    assert found is not None
    return found.fetchall()


def values(folder: Path) -> list[tuple[int, int]]:
    """(hour after T, value) of every row, in order."""
    hour = f'(epoch_us("at") - {T}) // {HOUR}'
    query = f"SELECT {hour}, value_integer FROM '{folder}/out/Samples.parquet' ORDER BY 1"
    return asked(query)


def test_samples_come_from_the_historian_up_to_what_kafka_keeps(
    area: OwnArea, database: dict[str, Any], tmp_path: Path
) -> None:
    told = [Samples("plc", number + 1, (Sample("Good", T + 2 * number * HOUR, number),)) for number in range(3)]
    for number, record in enumerate(told):
        put(area, record, T + 2 * number * HOUR)
    keep(area, database, *told[:2])
    folder_of(area, tmp_path, database)
    assert exported(area, tmp_path, "-c", "raw").returncode == 0
    assert values(tmp_path) == [(0, 0), (2, 1), (4, 2)], "Kafka has all"

    area.admin.delete_records([TopicPartition(area.topic(MessageClass.RAW), 0, 1)])[
        TopicPartition(area.topic(MessageClass.RAW), 0)
    ].result(30)
    ran = exported(area, tmp_path, "-c", "raw")
    assert ran.returncode == 0, ran.stderr
    assert "what is older comes from the historian" in ran.stderr
    assert values(tmp_path) == [(0, 0), (2, 1), (4, 2)], "each once"

    folder_of(area, tmp_path, None)
    refused = exported(area, tmp_path, "-c", "raw")
    assert refused.returncode == 1
    assert "Kafka has all only from 2026-11-18T14:06:40" in refused.stderr
    assert exported(area, tmp_path, "-c", "raw", "--partial").returncode == 0
    assert values(tmp_path) == [(2, 1), (4, 2)]


def test_of_derived_records_the_newest_revision_is_written_in_each_format(area: OwnArea, tmp_path: Path) -> None:
    folder_of(area, tmp_path, None)
    first = next(each for each in EXAMPLES if isinstance(each, Oee))
    second = msgspec.structs.replace(first, id=first.id[:-1] + "1", revision=1, oee=0.25)
    area.write([first, second])
    for format_ in ("parquet", "csv"):
        ran = exported(area, tmp_path, "-c", "oee", "--format", format_)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout == f"out/Oee.{format_}  1 rows\n"
        assert asked(f"SELECT revision, oee FROM '{tmp_path}/out/Oee.{format_}'") == [(1, 0.25)]


def test_what_is_none_is_said(area: OwnArea, tmp_path: Path) -> None:
    folder_of(area, tmp_path, None)
    for words, said in [
        (("--format", "xml"), "there are parquet, arrow, csv"),
        (("--record", "Ordr"), "did you mean 'Order'"),
        (("--historian", "nowhere"), "no historian 'nowhere'"),
    ]:
        ran = exported(area, tmp_path, "-c", "raw", *words)
        assert ran.returncode == 1
        assert said in ran.stderr


# -- examples --------------------------------------------------------------------------------------------------


@pytest.fixture
def week(area: OwnArea, tmp_path: Path) -> Path:
    """A folder with `build/week`, as the page's command writes it."""
    folder_of(area, tmp_path, None)
    examples = [each for each in EXAMPLES if isinstance(each, Oee | Downtime | Samples)]
    area.write(examples)
    span = ["--from", "2026-11-18T00:00:00Z", "--to", "2026-11-19T00:00:00Z", "--plant", str(tmp_path / "plant")]
    chosen = ["-c", "raw", "-c", "oee", "-c", "downtime", "--out", "build/week"]
    ran = uns(area, tmp_path, "export", "data", f"{area.enterprise}/#", *chosen, *span)
    assert ran.returncode == 0, ran.stderr
    return tmp_path


def test_the_examples_of_the_page_run(
    week: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    monkeypatch.chdir(week)
    for block in blocks:
        exec(block, {})
        assert "filler" in capsys.readouterr().out


def test_the_notebook_runs(week: Path) -> None:
    read = nbformat.read(ROOT / "docs" / "notebooks" / "week.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    assert [cell for cell in read.cells if cell.cell_type == "code" and cell.outputs] == [], "kept without outputs"
    ran = NotebookClient(read, timeout=120, resources={"metadata": {"path": str(week)}}).execute()
    texts = json.dumps([cell.get("outputs", []) for cell in ran.cells])
    assert "filler" in texts
