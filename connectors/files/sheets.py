"""Rows of files that are read whole: the sheet of an Excel workbook, a Parquet file. Pure but for the libraries' own caches."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from connectors.files.codec import BadHeader, check_columns
from connectors.files.config import FileSet
from connectors.kit.payloads import BadPayload, flat
from connectors.kit.rows import Row
from connectors.kit.times import shown

UNPACKED_MAX_BYTES = 1_000_000_000
"""Of all that is packed in a file: a small file can hold endless zeros."""
PARQUET_ROWS = 500


class SheetRow(NamedTuple):
    """A row and its number in the sheet, as a person counts it; of one that is none, why."""

    number: int
    row: Row | BadPayload


def sheet_rows(data: bytes, entry: FileSet) -> Iterator[SheetRow]:
    """The rows of a file below its header. Raises `BadHeader` for what is no such file, while it is gone through, too."""
    rows = _excel(data, entry) if entry.format == "excel" else _parquet(data, entry)
    try:
        yield from rows
    except (BadHeader, MemoryError):
        raise
    except Exception as error:  # the libraries promise nothing of damaged files, and anything has come out of them
        raise BadHeader(f"it is damaged: {type(error).__name__} {str(error)[:200]}") from error


# -- Excel -----------------------------------------------------------------------------------------------------


def _excel(data: bytes, entry: FileSet) -> Iterator[SheetRow]:
    import openpyxl

    _check_packed(data)
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    if entry.sheet is not None and entry.sheet not in book.sheetnames:
        raise BadHeader(f"it has no sheet {entry.sheet!r}, but {', '.join(map(shown, book.sheetnames))[:300]}")
    sheet: Any = book[entry.sheet] if entry.sheet is not None else book.worksheets[0]
    sheet.reset_dimensions()  # what a file says of its own size need not be so
    header = list(entry.columns)
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        if number <= entry.skip_lines or not any(cell is not None for cell in cells):
            continue
        if not header:
            header = ["" if cell is None else str(cell).strip() for cell in cells]
            check_columns(entry, header)
            continue
        yield SheetRow(number, _named(header, cells))
    book.close()


def _check_packed(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(part.file_size for part in packed.infolist())
    except zipfile.BadZipFile:
        raise BadHeader("it is no .xlsx workbook; an old .xls must be saved anew") from None
    if size > UNPACKED_MAX_BYTES:
        raise BadHeader(f"unpacked it has {size} bytes, {UNPACKED_MAX_BYTES} are the most")


def _named(header: Sequence[str], cells: Sequence[Any]) -> Row:
    """What stands beside the columns that have a name is a note, and no value."""
    return {name: cell for name, cell in zip(header, cells, strict=False) if name}


# -- Parquet ---------------------------------------------------------------------------------------------------


def _parquet(data: bytes, entry: FileSet) -> Iterator[SheetRow]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise BadHeader("Parquet needs pyarrow: pip install 'uns-backbone[parquet]'") from None
    try:
        file = parquet.ParquetFile(arrow.BufferReader(data))
    except arrow.ArrowInvalid as error:
        raise BadHeader(f"it is no Parquet file: {str(error)[:200]}") from None
    about = file.metadata
    size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    if size > UNPACKED_MAX_BYTES:
        raise BadHeader(f"unpacked it has {size} bytes, {UNPACKED_MAX_BYTES} are the most")
    number = 0
    for batch in file.iter_batches(PARQUET_ROWS):
        table = _in_microseconds(arrow.Table.from_batches([batch]), arrow)
        for row in table.to_pylist():
            number += 1
            try:
                cells = dict(flat(row, 0))
            except BadPayload as bad:
                yield SheetRow(number, bad)
                continue
            if number == 1:
                check_columns(entry, list(cells))
            yield SheetRow(number, cells)


def _in_microseconds(table: Any, arrow: Any) -> Any:
    """Times in nanoseconds, which Python cannot hold, cut to microseconds."""
    for place, field in enumerate(table.schema):
        if arrow.types.is_timestamp(field.type) and field.type.unit == "ns":
            kind = arrow.timestamp("us", field.type.tz)
            table = table.set_column(place, field.name, table.column(place).cast(kind, safe=False))
    return table
