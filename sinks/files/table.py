"""Rows as Arrow record batches: a part file is a stream of them, which can be cut and continued; Parquet is made of it once
it is complete. pyarrow is imported where it is first needed: it is an extra.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sinks.files.lines import Unfit
from sinks.kit.rows import Column, Kind

INT64 = range(-(2**63), 2**63)
COMPRESSION = "zstd"
READ_ROWS = 5_000
GROUP_ROWS = 100_000
"""Rows of one row group."""


def schema(columns: Sequence[Column]) -> Any:
    """Times are microseconds UTC, what has parts is JSON text; every column may be NULL."""
    import pyarrow as pa

    kinds = {
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.TIME: pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(column.name, kinds.get(column.kind, pa.string())) for column in columns])


def cell(column: Column, value: Any) -> Any:
    """The value as the column holds it. Raises `Unfit`."""
    if value is None:
        return None
    match column.kind:
        case Kind.INTEGER if isinstance(value, int) and value in INT64:
            return value
        case Kind.NUMBER if isinstance(value, int | float):
            return float(value)
        case Kind.BOOLEAN if isinstance(value, bool):
            return value
        case Kind.TIME if isinstance(value, datetime):
            return value
        case Kind.TEXT | Kind.JSON:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            try:
                text.encode()
            except UnicodeEncodeError:
                raise Unfit("half of a surrogate pair stands in a text; no file can hold it") from None
            return text
    raise Unfit(f"{value!r:.60} is no {column.kind}")


def head(columns: Sequence[Column]) -> bytes:
    """What a part begins with."""
    return schema(columns).serialize().to_pybytes()  # type: ignore[no-any-return]


def batch(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows that are appended at once."""
    import pyarrow as pa

    wanted = schema(columns)
    arrays = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(wanted.types)]
    return pa.record_batch(arrays, schema=wanted).serialize().to_pybytes()  # type: ignore[no-any-return]


def to_parquet(part: Path, parquet: Path) -> None:
    """All rows of a part, at most some batches of them in memory. Raises `OSError`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with part.open("rb") as file, pa.ipc.open_stream(file) as reader, pq.ParquetWriter(parquet, reader.schema, compression=COMPRESSION) as writer:  # fmt: skip
        waiting: list[Any] = []
        for each in reader:
            waiting.append(each)
            if sum(one.num_rows for one in waiting) >= GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))


def rows_of(file: Path, length: int | None) -> Iterator[list[Any]]:
    """The rows of a complete file; of a part, `length` is how much of it counts. Some of them in memory. Raises `OSError`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if length is None:
        with pq.ParquetFile(file) as parquet:
            for each in parquet.iter_batches(READ_ROWS):
                yield from (list(row) for row in zip(*(column.to_pylist() for column in each.columns), strict=True))
        return
    with file.open("rb") as raw:
        counts = pa.BufferReader(raw.read(length))  # a part is bounded by `bytes_max`
        with pa.ipc.open_stream(counts) as reader:
            for each in reader:
                yield from (list(row) for row in zip(*(column.to_pylist() for column in each.columns), strict=True))
