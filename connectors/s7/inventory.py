"""What a controller has, by what TIA Portal has exported of it; and the YAML that reads what was chosen of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path as File

import yaml
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from connectors.base import Found, LeftOut, SourceUnavailable
from connectors.kit.yaml_text import mapping, remark, text
from connectors.s7.config import Export, S7Config
from connectors.s7.exports import NAMES, data_block, tag_table

BYTES_MAX = 20_000_000
_TYPE = re.compile(r"(?P<type>\w+)(?:\((?P<length>\d+)\))?(?:\[(?P<count>\d+)\])?")


async def browse(config: S7Config) -> AsyncIterator[Found | LeftOut]:
    """All that the exports of the first controller name. It is not asked itself: S7 cannot. Raises `SourceUnavailable`."""
    plc = config.plcs[0]
    if not plc.exports:
        raise SourceUnavailable(
            f"S7: {plc.url} cannot say what it has; list under `exports` of the plc what TIA Portal has exported "
            "(tag table as .xlsx, source of a data block), and browse the connector by its name"
        )
    for export in plc.exports:
        for one in await asyncio.to_thread(lambda export=export: list(_told(export))):  # type: ignore[misc]
            yield one
    if len(config.plcs) > 1:
        yield LeftOut(f"{len(config.plcs) - 1} further controllers: one is looked at at a time")


def _told(export: Export) -> Iterator[Found | LeftOut]:
    file = File(export.file)
    try:
        if file.stat().st_size > BYTES_MAX:
            raise SourceUnavailable(f"S7: {file} is larger than {BYTES_MAX} bytes")
        if file.suffix.lower() == ".xlsx":
            yield from tag_table(_rows(file))
        elif export.db is None:
            raise SourceUnavailable(f"S7: {file}: which number the block has its source does not say; say `db`")
        else:
            yield from data_block(file.read_text(encoding="utf-8-sig"), export.db)
    except (OSError, UnicodeDecodeError, InvalidFileException, KeyError, ValueError) as error:
        raise SourceUnavailable(f"S7: {file} cannot be read: {error}") from error


def _rows(file: File) -> Iterator[Mapping[str, str]]:
    """Of the sheet that is a tag table: its rows, by column."""
    book = load_workbook(file, read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            head = ["" if cell is None else str(cell).strip() for cell in next(rows, ())]
            if {NAMES["name"], NAMES["type"], NAMES["address"]} <= set(head):
                for row in rows:
                    yield {name: "" if cell is None else str(cell) for name, cell in zip(head, row, strict=False)}
                return
        raise SourceUnavailable(f"S7: {file} has no sheet with the columns Name, Data Type and Logical Address")
    finally:
        book.close()


def listing(config: S7Config, chosen: Mapping[str, Sequence[Found]]) -> str:
    """The YAML of `plcs` that reads these of the first controller."""
    plc = config.plcs[0].model_dump(mode="json", exclude_unset=True, exclude={"machines"})
    head = yaml.safe_dump([plc], sort_keys=False, allow_unicode=True).rstrip("\n").splitlines()
    lines = ["plcs:", *(f"  {line}" for line in head), "    machines:"]
    for path, members in chosen.items():
        lines += [f"      - path: {path}", "        tags:"]
        lines += [f"          {mapping(one.tag, _entry(one))}{remark(one)}" for one in members]
    return "\n".join(lines)


def _entry(one: Found) -> str:
    """A tag; what its type says is left out where it says nothing."""
    found = _TYPE.fullmatch(one.type)
    known = {} if found is None else {key: value for key, value in found.groupdict().items() if value is not None}
    return f"{{{', '.join([f'address: {text(one.address)}', *(f'{key}: {value}' for key, value in known.items())])}}}"
