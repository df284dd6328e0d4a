"""`uns sink verify` of files: all is as wanted, and what another hand took out, doubled or changed is named."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from schemas.records import FACT_TYPES
from sinks.base import Delivery
from sinks.kit.rows import shapes
from tests.harness.records import EXAMPLES
from tests.harness.spoiled import Verified, told_of
from tests.integration.sinks.readback.many import PATH, some_of_all, stops
from topology.namespace.classes import MessageClass
from uns.model.components import sink_spec
from uns.testing.sinks import T

PLACE = {"topic": "{kafka_topic}", "partition": "{kafka_partition}", "offset": "{kafka_offset}"}


def config(folder: Path, *files: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    return {"folder": str(folder), "files": list(files)}


def spoil_lines(file: Path, encoding: str) -> None:
    """The 10th record is taken out, the 20th doubled, the 30th changed."""
    kept = []
    for line in file.read_text(encoding=encoding).splitlines(keepends=True):
        told = re.search(r"reason (10|20|30)\b", line)
        number = int(told[1]) if told else 0
        kept += {0: [line], 10: [], 20: [line, line], 30: [line.replace("reason 30", "another")]}[number]
    with file.open("w", encoding=encoding, newline="") as target:
        target.write("".join(kept))


def spoil_parquet(file: Path) -> None:
    rows = pq.read_table(file)
    at = rows.column("kafka_offset")
    twice, changed = rows.filter(pc.equal(at, 20)), rows.filter(pc.equal(at, 30))
    reasons = pa.array(["another"], pa.string())
    changed = changed.set_column(changed.schema.get_field_index("reason"), "reason", reasons)
    rest = rows.filter(pc.invert(pc.is_in(at, pa.array([10, 30], pa.int64()))))
    pq.write_table(pa.concat_tables([rest, twice, changed]), file)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_of_many_rows_one_is_missing_one_twice_and_one_changed(form: str, tmp_path: Path) -> None:
    encoding = "utf-16" if form == "csv" else "utf-8"
    folder = tmp_path / "export"

    def spoil() -> None:
        [file] = folder.glob("downtime*")
        if form == "parquet":
            spoil_parquet(file)
        else:
            spoil_lines(file, encoding)

    files = {"record": "downtime", "format": form, "name": "{record}", "rows_max": 150, "encoding": encoding}
    verified = Verified("files", config(folder, files), tmp_path / "state")
    assert told_of(verified, stops(150), spoil) == [
        ("missing", f"{form} downtime t 0 10"),
        ("twice", f"{form} downtime t 0 20"),
        ("different", f"{form} downtime t 0 30"),
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_records_of_every_kind_in_files_that_grow_and_that_are_complete(form: str, tmp_path: Path) -> None:
    made = some_of_all()
    facts = [
        Delivery("facts", 0, offset, PATH, MessageClass.RAW, each, T)
        for offset, each in enumerate(EXAMPLES)
        if isinstance(each, FACT_TYPES)
    ]
    files = [{"record": record, "format": form, "rows_max": 40} for record in shapes()]
    verified = Verified("files", config(tmp_path / "export", *files), tmp_path / "state")
    verified.write([*made, *facts])
    assert list((tmp_path / "export").glob(f"*.{form}")), "some are complete"
    assert list((tmp_path / "export").glob(f"*.{form}.part")), "some grow"
    count, differences, beyond = verified.differences([*made, *facts])
    assert count > 500
    assert (differences, beyond) == ([], 0)


def test_columns_of_its_own_are_compared_where_they_say_which_record_it_is(tmp_path: Path) -> None:
    columns = {"machine": "{path[4]}", "why": "{{ reason | upper }}", "begin": "{started_at}"}
    by_place = {"record": "downtime", "name": "a", "columns": columns | PLACE, "delimiter": ";", "time_format": "%H:%M"}
    by_id = {"record": "downtime", "name": "b", "columns": columns | {"id": "{id}"}, "header": False}
    by_nothing = {"record": "downtime", "name": "c", "columns": columns}
    given = config(tmp_path / "export", by_place, by_id, by_nothing)
    verified = Verified("files", given, tmp_path / "state")
    found = stops(30)
    verified.write(found)
    count, differences, _ = verified.differences(found)
    assert (count, differences) == (60, [])
    spec = sink_spec("files")
    assert spec.verification is not None
    [words] = spec.verification.left_out(spec.config.model_validate(given))
    assert words.startswith("c.csv is not compared")


def test_what_was_never_committed_does_not_count(tmp_path: Path) -> None:
    found = stops(30)
    verified = Verified("files", config(tmp_path / "export", {"record": "downtime", "format": "jsonl"}), tmp_path / "s")
    verified.write(found)
    [part] = (tmp_path / "export").glob("*.part")
    with part.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"half": 1}))
    assert verified.differences(found) == (30, [], 0)
