"""What a delivery adds to the files: encoded rows, each with the file that it belongs to. Pure."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from sinks.base import Delivery
from sinks.files import lines, table
from sinks.files.config import FileSet, FilesSinkConfig
from sinks.files.lines import Unfit
from sinks.files.names import name_of, named
from sinks.kit.rows import Column, Kind, Row, plain, record_of, rows, shapes
from sinks.kit.template import MAPS, OMITTED, UnfitValue, fill

WITHDRAWN = "withdrawn"


class Added(NamedTuple):
    """A row of a file: a line, or for Parquet the cells."""

    set: int
    group: str
    content: bytes | Sequence[Any]


class Layout:
    """Columns of one set, and how a row becomes one of its lines."""

    def __init__(self, config: FilesSinkConfig, number: int) -> None:
        self.files: FileSet = config.files[number]
        self.number, self._maps = number, SimpleNamespace(**config.maps)
        known = {column.name: column for column in shapes()[self.files.record].columns}
        self._plain_field = {
            name: template[1:-1]
            for name, template in self.files.columns.items()
            if isinstance(template, str) and template[:1] == "{" and template[1:-1] in known
        }
        self.columns: tuple[Column, ...] = shapes()[self.files.record].columns
        if self.files.columns:
            self.columns = tuple(
                Column(name, known[self._plain_field[name]].kind if name in self._plain_field else Kind.TEXT, True)
                for name in self.files.columns
            )
        self.names = [column.name for column in self.columns]
        self._tells_withdrawn = not self.files.columns or any(WITHDRAWN in str(each) for each in self.files.columns.values())  # fmt: skip

    @property
    def mark(self) -> str:
        """Changes with the columns, and with how they are written."""
        files = self.files
        form = [files.format, files.delimiter, files.decimal, files.encoding, files.zone, files.time_format or "", str(files.header)]  # fmt: skip
        return "|".join([*form, *(f"{column.name}:{column.kind}" for column in self.columns)])

    def beginning(self) -> bytes:
        """Raises `Unfit`."""
        return table.head(self.columns) if self.files.format == "parquet" else lines.beginning(self.files, self.names)

    def named(self, name: str) -> bool:
        """Whether a file is called so by this set; without number and ending."""
        return named(self.files.name, self.files.record, name)

    def rows(self, delivery: Delivery) -> Iterator[Row]:
        """Those that are to be in the files, as typed rows. Raises `UnfitValue` and `OverflowError`.

        A later revision that does not fit `when` any more says so as one that is withdrawn: an earlier one may stand there.
        """
        for row in rows(delivery):
            if self.files.takes(row, self._maps):
                yield row
            elif self._tells_withdrawn and row.get("revision", 0) > 0:
                yield {**row, WITHDRAWN: True}

    def values(self, row: Row) -> list[Any]:
        """In the order of the columns. Raises `UnfitValue`."""
        if not self.files.columns:
            return list(row.values())
        told = {**plain(row), MAPS: self._maps}
        found: list[Any] = []
        for name, template in self.files.columns.items():
            value = row[self._plain_field[name]] if name in self._plain_field else fill(template, told)
            found.append(None if value is OMITTED else value)
        return found

    def added(self, delivery: Delivery) -> Iterator[Added]:
        """Raises `Unfit`."""
        try:
            for row in self.rows(delivery):
                group = name_of(self.files.name, self.files.record, row, self.files.clock)
                yield Added(self.number, group, self._content(self.values(row)))
        except (Unfit, UnfitValue, OverflowError) as error:
            raise Unfit(f"{self.files.record} in {self.files.name}.{self.files.format}: {error}") from None

    def _content(self, values: list[Any]) -> bytes | Sequence[Any]:
        if self.files.format == "parquet":
            return [table.cell(column, value) for column, value in zip(self.columns, values, strict=True)]
        return lines.line(self.files, self.names, values)


def layouts(config: FilesSinkConfig) -> list[Layout]:
    return [Layout(config, number) for number in range(len(config.files))]


def added(known: Sequence[Layout], delivery: Delivery) -> list[Added]:
    """All rows of a delivery, in all files. Raises `Unfit`."""
    record = record_of(delivery)
    return [each for layout in known if layout.files.record == record for each in layout.added(delivery)]
