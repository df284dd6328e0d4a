"""Samples as rows, nested columns as text, tables into files. Needs the extra `frame` (pyarrow).

A sample's row has a column for each type that a value can have, as in the historian: a number stands in `value_number`
whatever its type, an integer also in `value_integer` with all its 64 bits.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from schemas.records import Sample
from uns.client.frame import MissingExtra
from uns.errors import UserError

if TYPE_CHECKING:
    import pyarrow

BATCH = 50_000
"""Rows in memory at once."""
FORMATS = ("parquet", "arrow", "csv")

Row = tuple[str, Sample, str]
"""Path, sample, source."""


def arrow() -> Any:
    """pyarrow. Raises `MissingExtra`."""
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("tables need pyarrow: pip install 'uns-backbone[frame]'") from error
    return pyarrow


def batches(rows: Iterable[Row]) -> "Iterator[pyarrow.Table]":
    """Tables of samples, at most `BATCH` rows each; an empty one where there is none. Raises `MissingExtra`."""
    pa = arrow()
    schema = pa.schema(
        {
            "path": pa.string(),
            "tag": pa.string(),
            "at": pa.timestamp("us", "UTC"),
            "value_number": pa.float64(),
            "value_integer": pa.int64(),
            "value_text": pa.string(),
            "value_boolean": pa.bool_(),
            "quality": pa.int64(),
            "source": pa.string(),
        }
    )
    left = iter(rows)
    batch = list(islice(left, BATCH))
    if not batch:
        yield schema.empty_table()
    while batch:
        columns = list(zip(*(_columns(row) for row in batch), strict=True))
        yield pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)
        batch = list(islice(left, BATCH))


def _columns(row: Row) -> tuple[Any, ...]:
    path, sample, source = row
    value = sample.value
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    integer = value if isinstance(value, int) and not isinstance(value, bool) else None
    text = value if isinstance(value, str) else None
    boolean = value if isinstance(value, bool) else None
    return (path, sample.tag, sample.at, number, integer, text, boolean, sample.quality, source)


def flat(table: "pyarrow.Table") -> "pyarrow.Table":
    """With lists, maps and structs as JSON text: what CSV can hold. Times inside them are µs UTC."""
    pa = arrow()
    for place, column in enumerate(table.schema):
        if pa.types.is_nested(column.type):
            texts = [None if value is None else json.dumps(_plain(value)) for value in table.column(place).to_pylist()]
            table = table.set_column(place, column.name, pa.array(texts, pa.string()))
    return table


def _plain(value: Any) -> Any:
    """Of Arrow's maps, which are lists of pairs, objects."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(part, tuple) for part in value):
            return {key: _plain(part) for key, part in value}
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


class TableFile:
    """A file of one table, written batch by batch; it has its name only once it is whole. Raises `UserError`."""

    def __init__(self, file: Path, format_: str) -> None:
        self.file, self.rows = file, 0
        self._format = format_
        self._draft = file.with_name(f".{file.name}.part")
        self._writer: Any = None

    def write(self, table: "pyarrow.Table") -> None:
        pa = arrow()
        made = flat(table) if self._format == "csv" else table
        try:
            if self._writer is None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self._writer = self._open(pa, made.schema)
            self._writer.write_table(made)
        except OSError as error:
            raise UserError(f"{self.file}: cannot be written: {error.strerror or error}") from error
        self.rows += made.num_rows

    def _open(self, pa: Any, schema: Any) -> Any:
        if self._format == "parquet":
            return pa.parquet.ParquetWriter(self._draft, schema, compression="zstd")
        if self._format == "arrow":
            return pa.ipc.new_file(str(self._draft), schema)
        return pa.csv.CSVWriter(str(self._draft), schema)

    def close(self, whole: bool) -> None:
        """Gives it its name where it is whole, else takes it away."""
        if self._writer is not None:
            self._writer.close()
        if whole and self._writer is not None:
            self._draft.replace(self.file)
        else:
            with suppress(OSError):
                self._draft.unlink()

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(whole=error is None)
