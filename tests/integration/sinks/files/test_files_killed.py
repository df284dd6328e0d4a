"""The files sink killed again and again: every row once, none missing, and no file half, as pandas, pyarrow and the sqlite3
shell read them."""

import csv
import json
import shutil
import subprocess
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.contract.sink_files import rows
from tests.integration.sinks.killing import STOPS
from tests.integration.sinks.kills import KILLS, SAMPLE, STOP, Rows, check, kill, wanted

FORMS = ("csv", "jsonl", "parquet")


def job(folder: Path, kills: int) -> dict[str, Any]:
    export = folder / "export"
    export.mkdir()
    sets = [
        {"record": record, "format": form, "name": "{site}/{record}-{hour}", "rows_max": 150, "every_s": 5}
        for record in ("downtime", "samples")
        for form in FORMS
    ]
    config = {"folder": str(export), "files": sets}
    return {
        "kind": "files",
        "config": config,
        "folder": str(folder / "state"),
        "group": str(folder / "group"),
        "kills": kills,
    }


def told(record: str, form: str, row: dict[str, Any]) -> tuple[Any, ...]:
    """A row as it was read, in our terms."""
    names = STOP if record == "downtime" else SAMPLE
    values = [row[name] for name in names]
    if form == "csv":
        kinds: dict[str, Any] = {
            "revision": int,
            "kafka_offset": int,
            "value_number": float,
            "value_integer": int,
            "value_boolean": {"true": True, "false": False}.__getitem__,
        }
        values = [kinds.get(name, str)(value) if value else None for name, value in zip(names, values, strict=True)]
    places = [names.index(name) for name in ("started_at", "at") if name in names]
    for place in places:
        if isinstance(values[place], str):
            values[place] = datetime.fromisoformat(values[place])
    return tuple(values)


@pytest.mark.parametrize("kills", KILLS)
def test_killed_again_and_again(tmp_path: Path, kills: int) -> None:
    kill(job(tmp_path, kills))
    _, samples, revisions = wanted()
    export = tmp_path / "export"
    for record, meant in (("downtime", revisions), ("samples", samples)):
        for form in FORMS:
            found: Rows = Counter(told(record, form, row) for row in _rows(export, record, form))
            check(found, meant)
    known = {f"{part['name']}.part" for part in json.loads((export / ".uns.json").read_text())["parts"]}
    assert {str(file.relative_to(export)) for file in export.rglob("*.part")} == known
    assert not list(export.rglob("*.new"))
    foreign(export)


def _rows(export: Path, record: str, form: str) -> Any:
    only = export.with_name(f"{record}-{form}")
    shutil.rmtree(only, ignore_errors=True)
    only.mkdir()
    for file in export.rglob(f"{record}-*.{form}*"):
        shutil.copy(file, only / file.name)
    return rows(only, form)


def foreign(export: Path) -> None:
    """Complete files as tools read them that know nothing of us."""
    complete = sorted(export.rglob("downtime-*.csv"))
    assert len(complete) > 5
    frames = pd.concat([pd.read_csv(file) for file in complete])
    parquet = pd.concat([pq.read_table(file).to_pandas() for file in sorted(export.rglob("downtime-*.parquet"))])
    assert set(frames.columns) == set(parquet.columns)
    assert frames["revision"].dtype == parquet["revision"].dtype == "int64"
    assert str(parquet["started_at"].dtype).startswith("datetime64[")
    assert len(frames) <= STOPS
    both = frames.merge(parquet, on=["natural_id", "revision"], suffixes=("", "_p"))
    assert (both["reason"] == both["reason_p"]).all()
    assert (pd.to_datetime(both["started_at"]) == both["started_at_p"]).all()
    if (shell := shutil.which("sqlite3")) is not None:
        _by_shell(shell, complete)


def _by_shell(shell: str, complete: list[Path]) -> None:
    """Quotes, commas and line ends inside cells, by a parser of another make."""
    script = "\n".join(f".import --csv '{file}' t{number}" for number, file in enumerate(complete))
    union = " UNION ALL ".join(f"SELECT kafka_offset, reason FROM t{number}" for number in range(len(complete)))
    done = subprocess.run([shell, ":memory:"], input=f"{script}\n.mode json\n{union};\n", capture_output=True, text=True, check=True)  # fmt: skip
    found = Counter((row["kafka_offset"], row["reason"].replace("\r\n", "\n")) for row in json.loads(done.stdout))
    ours: Counter[Any] = Counter()
    for file in complete:
        with file.open(encoding="utf-8", newline="") as lines:
            ours.update((row["kafka_offset"], row["reason"]) for row in csv.DictReader(lines))
    assert found == ours
