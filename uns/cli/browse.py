"""`uns connector browse` and `uns connector add`: what a source has, and the connector that reads it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.connector import connector
from uns.cli.options import (
    MOST,
    WAIT_S,
    FiltersOption,
    JsonLinesOption,
    Look,
    MostOption,
    PlantOption,
    SourceOption,
    WaitOption,
    which_plant,
)

if TYPE_CHECKING:
    from connectors.base import Found
    from topology.model.plant import Plant

CsvOption = Annotated[
    Path | None, typer.Option("--csv", help="write a table here: edit it, then `uns connector add … --csv`")
]


@connector.command()
def browse(
    protocol: Annotated[str, typer.Argument(help="as `uns connector list` names it")],
    source: Annotated[
        str, typer.Argument(metavar="URL|NAME", help="address of a source, or a connector of the plant model")
    ],
    filters: FiltersOption = None,
    options: SourceOption = None,
    table: CsvOption = None,
    plant: PlantOption = None,
    most: MostOption = MOST,
    wait_s: WaitOption = WAIT_S,
    as_json: JsonLinesOption = False,
) -> None:
    """List what a source has: machine, tag, address, type, unit, present value. Exit code 1 where nothing is found."""
    show(protocol, source, Look(filters or (), options or (), most, wait_s), table, plant, as_json)


def show(protocol: str, source: str, look: Look, table: Path | None, plant: Path | None, as_json: bool) -> None:
    """Lists, a line each as it is found, or writes a table."""
    from uns.errors import UserError
    from uns.model.inventory import COLUMNS, row

    config = _config(protocol, source, look, plant)
    count = 0

    def counted(tell: "Callable[[Found], Any]") -> "Callable[[Found], None]":
        def told(found: "Found") -> None:
            nonlocal count
            count += 1
            tell(found)

        return told

    if table is None:
        said: Callable[[Found], Any] = (
            (lambda found: typer.echo(_json(row(found) | {"roles": found.roles}))) if as_json else _line
        )
        left_out = _look(protocol, config, look, counted(said))
    else:
        try:
            with table.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                left_out = _look(protocol, config, look, counted(lambda found: writer.writerow(row(found))))
        except OSError as error:
            raise UserError(f"{table} cannot be written: {error}") from error
        typer.echo(f"wrote {table}: {count} tags")
    for what in left_out:
        typer.echo(f"! {what}", err=True)
    if not count:
        raise typer.Exit(1)


@connector.command()
def add(
    protocol: Annotated[str, typer.Argument(help="as `uns connector list` names it")],
    name: Annotated[str, typer.Argument(help="name of the connector")],
    url: Annotated[str | None, typer.Option(help="where the source is; a server on this machine by default")] = None,
    machine: Annotated[str | None, typer.Option(help="path of the machine that it reads; the model's first")] = None,
    plant: PlantOption = None,
    browse: Annotated[bool, typer.Option("--browse", help="ask the source what it has, and list that")] = False,
    table: Annotated[
        Path | None, typer.Option("--csv", help="list what is in this table of `uns connector browse`")
    ] = None,
    filters: FiltersOption = None,
    options: SourceOption = None,
    most: MostOption = MOST,
    wait_s: WaitOption = WAIT_S,
) -> None:
    """Write a file of the plant model for one more source; then edit it, and `uns connector try NAME`."""
    from uns.cli.words import member
    from uns.errors import UserError
    from uns.model.components import UnknownComponent
    from uns.model.lint import check_connector
    from uns.model.plant import load_plant
    from uns.model.starter import add

    folder = which_plant(plant)
    model = load_plant(folder)
    if name in model.connectors:
        raise UserError(f"connector {name!r} is in the plant model already")
    machines = {str(path): path for path in model.cells()}
    if not machines:
        raise UserError("the plant model has no machine yet; add one to its namespace")
    path = None if machine is None else str(member("machine", machine, machines, "the plant model"))
    try:
        if browse or table is not None:
            look = Look(filters or (), options or (), most, wait_s)
            file, read = _write_found(folder, model, protocol, name, url, path, table, look)
        else:
            read = [path or next(iter(machines))]
            file = add(folder, protocol, name, read[0], url)
    except UnknownComponent as error:
        raise UserError(str(error)) from None
    typer.echo(f"wrote {file}: it reads {', '.join(read)}")
    try:
        check_connector(load_plant(folder), name)
    except UserError as error:
        typer.echo(f"! {error}", err=True)
    typer.echo(f"\nNext: edit it, then\n  uns lint {folder}\n  uns connector try {name}")


def _write_found(
    folder: Path,
    model: "Plant",
    protocol: str,
    name: str,
    url: str | None,
    machine: str | None,
    table: Path | None,
    look: Look,
) -> tuple[Path, list[str]]:
    """Writes the connector that reads what a source has, or a table says; returns the file, and the paths it reads."""
    from uns.errors import UserError
    from uns.model.inventory import config_of, connector_yaml, placed, read_table
    from uns.model.starter import save
    from uns.runners.connector.browse import fits

    found: list[Found] = []
    if table is not None:
        found = [one for one in read_table(table) if fits(one, look.filters)]
    else:
        for what in _look(protocol, config_of(protocol, url, look.options), look, found.append):
            typer.echo(f"! {what}", err=True)
    chosen, strangers = placed(found, model, machine)
    for stranger, count in list(strangers.items())[:20]:
        typer.echo(f"! {stranger}: {count} tags are not read, no machine of the plant model is called so", err=True)
    if not chosen:
        raise UserError(
            "nothing to read: say the machine by --machine, or write its path into the column `machine` of "
            f"`uns connector browse {protocol} … --csv FILE` and add that"
        )
    return save(folder, name, connector_yaml(protocol, name, url, look.options, chosen)), list(chosen)


def _config(protocol: str, source: str, look: Look, plant: Path | None) -> dict[str, Any]:
    """Of an address the starter's, of a connector of the plant its own; with the options over it."""
    from uns.cli.words import member
    from uns.errors import UserError
    from uns.model.components import UnknownComponent
    from uns.model.inventory import config_of, with_options
    from uns.model.plant import load_plant

    try:
        if "://" in source:
            return config_of(protocol, source, look.options)
        model = load_plant(which_plant(plant))
        entry = member("connector", source, model.connectors, "the plant model; an address has :// in it")
    except UnknownComponent as error:
        raise UserError(str(error)) from None
    if entry.protocol != protocol:
        raise UserError(f"connector {source} speaks {entry.protocol}: uns connector browse {entry.protocol} {source}")
    return with_options(dict(entry.config), look.options)


def _look(protocol: str, config: dict[str, Any], look: Look, tell: "Callable[[Found], Any]") -> list[str]:
    from uns.errors import UserError
    from uns.model.components import UnknownComponent, connector_spec
    from uns.model.inventory import checked
    from uns.runners.connector.browse import browse as browse_source
    from uns.runtime.telemetry import quiet

    quiet()
    try:
        spec = connector_spec(protocol)
    except UnknownComponent as error:
        raise UserError(str(error)) from None
    return browse_source(spec, checked(protocol, config), look.filters, look.most, look.wait_s, tell)


def _line(found: "Found") -> None:
    from connectors.kit.yaml_text import remark

    name = f"{found.machine}.{found.tag}" if found.machine else found.tag
    typer.echo(f"{name}  {found.address}{remark(found)}")


def _json(cells: dict[str, Any]) -> str:
    return json.dumps(cells, ensure_ascii=False, default=str)
