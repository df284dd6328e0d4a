"""The files sink on a real folder: forms, rotation, names, what the disk refuses, what somebody takes away."""

import asyncio
import csv
import errno
import json
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow.parquet as pq
import pytest

from schemas.records import Sample, Samples
from sinks.base import Delivery, Rejected, Retryable, Taken
from sinks.files import spec
from sinks.files.sink import FilesSink
from sinks.files.writer import Writer
from sinks.kit.rows import rows as rows_of
from tests.contract.sink_files import rows
from tests.harness import eventually
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass
from uns.testing import delivery, downtime

RAW = "uns.acme.dallas.packaging.raw"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def sink(folder: Path, *files: dict[str, Any], name: str = "export") -> FilesSink:
    return FilesSink(name, spec.config.model_validate({"folder": str(folder), "files": list(files)}), folder)


def raw(record: Any, offset: int = 0) -> Delivery:
    return Delivery(RAW, 1, offset, PATH, MessageClass.RAW, record, T)


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and file.name[0] != ".")


def test_every_record_is_in_every_form(tmp_path: Path) -> None:
    kinds = sorted({type(record).__name__.lower() for record in EXAMPLES} - {"tick"})

    async def go() -> None:
        one = sink(
            tmp_path, *({"record": kind, "format": form} for kind in kinds for form in ("csv", "jsonl", "parquet"))
        )
        await one.open()
        deliveries = [raw(record, n) for n, record in enumerate(EXAMPLES)]
        assert await one.write(deliveries, {(RAW, 1): len(deliveries)}) == []
        await one.close()

    run(go())
    wanted = [row for n, record in enumerate(EXAMPLES) for row in rows_of(raw(record, n))]
    for form in ("csv", "jsonl", "parquet"):
        found = list(rows(tmp_path, form))
        assert len(found) == len(wanted)
        if form == "parquet":
            plain = [{k: json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict | tuple) else v for k, v in row.items()} for row in wanted]  # fmt: skip
            assert all(row in found for row in plain)


def test_extremes_are_read_back_by_pandas(tmp_path: Path) -> None:
    values = [
        2**63 - 1,
        -(2**63),
        5e-324,
        0.1,
        float("inf"),
        float("nan"),
        None,
        "",
        " x ",
        'a"b,c\r\nd',
        "🏭 Füller",
        True,
    ]

    async def go() -> None:
        one = sink(
            tmp_path, *({"record": "samples", "format": form, "rows_max": len(values)} for form in ("csv", "parquet"))
        )
        await one.open()
        found = tuple(Sample(f"t{n}", T + n, value) for n, value in enumerate(values))
        assert await one.write([raw(Samples("opcua", 1, found))], {(RAW, 1): 1}) == []
        await one.close()

    run(go())
    [parquet] = tmp_path.rglob("*.parquet")
    table = pq.read_table(parquet).to_pylist()
    assert [row["value_integer"] for row in table[:2]] == values[:2]
    assert [repr(row["value_number"]) for row in table[2:6]] == ["5e-324", "0.1", "inf", "nan"]
    assert [row["value_text"] for row in table[7:11]] == values[7:11]
    assert table[11]["value_boolean"] is True
    [file] = tmp_path.rglob("*.csv")
    frame = pd.read_csv(file, dtype={"value_integer": "Int64"}, keep_default_na=False, na_values=[""])
    assert [int(value) for value in frame["value_integer"][:2]] == values[:2]
    assert list(frame["value_text"][8:11]) == values[8:11]
    assert file.read_bytes().count(b'""') >= 1, "an empty text is told from none"


def test_the_forms_of_csv(tmp_path: Path) -> None:
    """As Excel in Germany reads it."""
    more = {"delimiter": ";", "decimal": ",", "encoding": "utf-8-sig", "zone": "Europe/Berlin"}
    columns = {
        "Maschine": "{path[4]}",
        "Beginn": "{at}",
        "Signal": "{tag}",
        "Wert": "{value_number}",
        "Text": "{value_text}",
        "Mehr": "{{ value_number + 1 }}",
    }

    async def go() -> None:
        one = sink(tmp_path, {"record": "samples", "columns": columns, "time_format": "%d.%m.%Y %H:%M:%S", **more})
        await one.open()
        found = (Sample("größe; x", T, 1.5), Sample("b", T, "no number to add to"))
        [rejected] = await one.write([raw(Samples("opcua", 1, found[:1])), raw(Samples("opcua", 1, found[1:]), 1)], {})
        assert isinstance(rejected, Rejected)
        assert (rejected.delivery.offset, rejected.reason) == (1, "unfit")
        assert "value_number + 1" in rejected.message
        await one.close()

    run(go())
    [file] = tmp_path.rglob("*.csv.part")
    assert file.read_bytes().startswith(b"\xef\xbb\xbfMaschine;Beginn;Signal;Wert;Text;Mehr\r\n")
    assert file.read_text(encoding="utf-8-sig").splitlines()[1] == 'filler;18.11.2026 12:06:40;"größe; x";1,5;;2,5'


def test_a_letter_that_the_encoding_lacks_is_rejected_alone(tmp_path: Path) -> None:
    async def go() -> None:
        one = sink(tmp_path, {"record": "downtime", "encoding": "cp1252"})
        await one.open()
        deliveries = [delivery(downtime(n, reason=reason), n) for n, reason in enumerate(["süß €", "漢", "x"])]
        [rejected] = await one.write(deliveries, {(deliveries[0].topic, 0): 3})
        assert rejected.delivery.offset == 1
        assert "'漢' is not in cp1252" in rejected.message
        assert await one.positions() == {(deliveries[0].topic, 0): 1}
        # As after a crash before the quarantine has it: the third is there already.
        await one.close()
        await one.open()
        assert len(await one.write(deliveries[1:], {(deliveries[0].topic, 0): 3})) == 1
        assert await one.write([], {(deliveries[0].topic, 0): 3}) == []
        assert await one.positions() == {(deliveries[0].topic, 0): 3}
        await one.close()

    run(go())
    [file] = tmp_path.rglob("*.part")
    with file.open(encoding="cp1252", newline="") as lines:
        assert [row["reason"] for row in csv.DictReader(lines)] == ["süß €", "x"]


def test_rotation_by_rows_bytes_and_time_and_names(tmp_path: Path) -> None:
    now = 1_000.0
    files = [
        {"record": "downtime", "name": "{site}/{area} x/{record}-{day}", "rows_max": 3, "every_s": 60, "keep_days": 1}
    ]
    files += [{"record": "downtime", "name": "small", "format": "jsonl", "bytes_max": 1_000}]
    config = spec.config.model_validate({"folder": str(tmp_path), "files": files})
    stranger = tmp_path / "dallas" / "packaging x" / "stranger.csv"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("mine")
    writer = Writer("export", config, lambda: now)
    writer.open()
    assert writer.write([delivery(downtime(n), n) for n in range(7)], {}) == []
    by_rows = [name for name in names(tmp_path) if name.endswith(".csv")]
    assert by_rows[:2] == [f"dallas/packaging x/downtime-2026-11-18.{n:08d}.csv" for n in (1, 2)]
    assert len([name for name in names(tmp_path) if name.startswith("small") and name.endswith(".jsonl")]) >= 1
    assert [len(list(rows(tmp_path, form))) for form in ("jsonl",)] == [7]
    now += 61
    writer.tend()
    assert not list(tmp_path.rglob("downtime*.part"))
    now += 86_400
    writer.tend()
    assert [name for name in names(tmp_path) if name.endswith(".csv")] == ["dallas/packaging x/stranger.csv"]
    writer.close()


def test_a_file_whose_time_has_come_is_completed_without_a_record(tmp_path: Path) -> None:
    async def go() -> None:
        one = sink(tmp_path, {"record": "downtime", "every_s": 1, "format": "parquet"})
        await one.open()
        assert await one.write([delivery(downtime(1), 1)], {}) == []
        await asyncio.to_thread(eventually, lambda: list(tmp_path.rglob("*.parquet")))
        await one.close()

    run(go())
    assert len(list(rows(tmp_path, "parquet"))) == 1


def test_other_columns_begin_a_new_file(tmp_path: Path) -> None:
    async def go() -> None:
        for n, columns in enumerate([{"a": "{reason}"}, {"a": "{reason}", "b": "{revision}"}]):
            one = sink(tmp_path, {"record": "downtime", "columns": columns, "name": "x"})
            await one.open()
            assert await one.write([delivery(downtime(n), n)], {("t", 0): n + 1}) == []
            await one.close()

    run(go())
    assert names(tmp_path) == ["x.00000001.csv", "x.00000002.csv.part"]
    assert [list(row) for row in rows(tmp_path, "csv")] == [["a"], ["a", "b"]]


def test_a_correction_that_leaves_when_says_withdrawn(tmp_path: Path) -> None:
    async def go() -> None:
        one = sink(tmp_path, {"record": "downtime", "format": "jsonl", "when": {"category": "breakdown"}})
        await one.open()
        found = [
            msgspec.structs.replace(downtime(1, n), category=word) for n, word in enumerate(["breakdown", "micro"])
        ]
        assert await one.write([delivery(record, n) for n, record in enumerate([*found, downtime(2)])], {}) == []
        await one.close()

    run(go())
    assert [(row["revision"], row["withdrawn"]) for row in rows(tmp_path, "jsonl")] == [(0, False), (1, True)]


def test_one_instance_writes_at_a_time(tmp_path: Path) -> None:
    async def go() -> None:
        first, second = sink(tmp_path, {"record": "downtime"}), sink(tmp_path, {"record": "downtime"})
        await first.open()
        with pytest.raises(Taken, match="another instance"):
            await second.open()
        await first.write([delivery(downtime(1), 1)], {})
        await first.close()
        await second.open()
        await second.close()
        with pytest.raises(Retryable, match="is that of sink export; each needs one of its own"):
            await sink(tmp_path, {"record": "downtime"}, name="other").open()

    run(go())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_what_the_disk_refuses_is_waited_for(tmp_path: Path, monkeypatch: Any, number: int, call: str) -> None:
    """Half a row is on the disk by then."""

    async def go() -> None:
        one = sink(tmp_path, {"record": "downtime"})
        await one.open()
        assert await one.write([delivery(downtime(0), 0)], {("t", 0): 1}) == []
        real = getattr(os, call)

        def full(handle: int, *given: Any) -> Any:
            if call == "write" and len(given[0]) > 100:
                return real(handle, given[0][:100])
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as broken:
            broken.setattr(os, call, full)
            with pytest.raises(Retryable, match="sink export"):
                await one.write([delivery(downtime(n), n) for n in range(1, 9)], {("t", 0): 9})
        with pytest.raises(Retryable, match="not open"):
            await one.write([], {("t", 0): 9})
        await one.open()
        assert await one.positions() == {("t", 0): 1, (delivery(downtime(0), 0).topic, 0): 0}
        assert await one.write([delivery(downtime(n), n) for n in range(1, 9)], {("t", 0): 9}) == []
        await one.close()

    run(go())
    assert sorted(int(row["kafka_offset"]) for row in rows(tmp_path, "csv")) == list(range(9))


def test_a_folder_that_is_gone_or_another_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()

    async def go() -> None:
        one = sink(folder, {"record": "downtime"})
        await one.open()
        assert await one.write([delivery(downtime(0), 0)], {("t", 0): 1}) == []
        folder.rename(tmp_path / "away")
        with pytest.raises(Retryable, match="is the folder there"):
            await one.write([delivery(downtime(1), 1)], {("t", 0): 2})
        folder.mkdir()  # the mount point without what was mounted there
        with pytest.raises(Retryable, match="is the share mounted"):
            await one.open()
        folder.rename(tmp_path / "empty")
        (tmp_path / "away").rename(folder)
        await one.open()
        assert await one.positions() == {("t", 0): 1, (delivery(downtime(0), 0).topic, 0): 0}
        assert await one.write([delivery(downtime(1), 1)], {("t", 0): 2}) == []
        await one.close()

    run(go())
    assert sorted(int(row["kafka_offset"]) for row in rows(folder, "csv")) == [0, 1]


def test_a_manifest_that_cannot_be_read_stops_it(tmp_path: Path) -> None:
    async def go() -> None:
        (tmp_path / ".uns.json").write_text('{"places": [')
        with pytest.raises(Retryable, match="restore it"):
            await sink(tmp_path, {"record": "downtime"}).open()
        (tmp_path / ".uns.json").unlink()
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "oee.00000001.csv").write_text("")
        with pytest.raises(Retryable, match="is there, and"):
            await sink(tmp_path, {"record": "downtime"}).open()

    run(go())
