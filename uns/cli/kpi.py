"""`uns kpi list | show | lint | diff`: what the shared KPI definitions say, and what difference they make."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit, group
from uns.cli.options import (
    WHICH_PLANT,
    FilterArgument,
    JsonOption,
    PlantOption,
    UntilOption,
    from_option,
    which_plant,
)

if TYPE_CHECKING:
    from topology.kpi.definition import Definition
    from topology.model.plant import Plant
    from topology.namespace.filters import Filter
    from uns.cli.times import Reader
    from uns.history.kpi.sides import TwoHistories

kpi = group(
    "KPI definitions: shared, versioned, readable.",
    {**dict.fromkeys(("list", "show", "lint", "diff"), "kpi"), "compare": "compare"},
)
app.add_typer(kpi, name="kpi")


@kpi.command("list")
def list_(plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Definitions: those that are shipped and the plant's own, and where each is from."""
    from uns.model.kpi import known, summary
    from uns.runtime.running import environment

    rows = [summary(each) for each in known(which_plant(plant), environment()).values()]
    if as_json:
        emit(rows)
        return
    for row in rows:
        typer.echo(f"{row['definition']:<16} {row['kpis']:>3} KPIs  {row['origin']}")


@kpi.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@V]", help="definition; without version: its highest")],
    kpi_id: Annotated[str | None, typer.Argument(metavar="[KPI]", help="one KPI of it")] = None,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """A definition: time model, formulas, options; or the record of one KPI."""
    from uns.model.kpi import known, kpi_text, select, select_kpi, summary, text
    from uns.runtime.running import environment

    chosen = select(known(which_plant(plant), environment()), name)
    if kpi_id is not None:
        formula = select_kpi(chosen.definition, kpi_id)
        if as_json:
            emit({"definition": chosen.definition.label, "id": kpi_id, **formula.model_dump(mode="json")})
        else:
            typer.echo(kpi_text(kpi_id, formula))
    elif as_json:
        emit({**summary(chosen), **chosen.definition.model_dump(mode="json")})
    else:
        typer.echo(text(chosen))


@kpi.command()
def lint(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[PATH]", help=f"{WHICH_PLANT}; or a file with one definition"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check KPI definitions: every problem with its file, its line and what to do. `uns lint` does so too."""
    from uns.model.kpi import lint as problems_of
    from uns.runtime.running import environment

    place = which_plant(path)
    problems = problems_of(place, environment())
    if as_json:
        emit(
            [{"file": each.file, "line": each.line, "where": each.where, "message": each.message} for each in problems]
        )
    else:
        for problem in problems:
            typer.echo(str(problem))
        if not problems:
            typer.echo(f"{place}: no problems with KPI definitions")
    if problems:
        raise typer.Exit(1)


@kpi.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="definition, name@version; without version: its highest")],
    b: Annotated[str, typer.Argument(metavar="B", help="the other definition")],
    wanted: FilterArgument,
    begin: Annotated[str, from_option("the windows")] = "beginning",
    until: UntilOption = "now",
    window: Annotated[
        str | None, typer.Option(help="hour, shift or day, one by one (default: all shifts of a machine together)")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="raw records in a file, as `uns fold` reads them, in place of Kafka")
    ] = None,
    most: Annotated[int, typer.Option("--show", min=0, help="stops in a table; --json has all")] = 20,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the same history gives under two definitions, in minutes and points, and which stops explain the difference.

    Folds the raw log offline under both; no processors need to run, and nothing is published.
    """
    from rich.console import Console

    from uns.cli.words import choice, filter_of
    from uns.history.kpi.diff import WINDOWS, compare
    from uns.history.kpi.report import document, show
    from uns.model.kpi import known, select
    from uns.model.plant import load_plant
    from uns.runtime.running import environment

    folder = which_plant(plant)
    definitions = known(folder, environment())
    first, second = (select(definitions, name).definition for name in (a, b))
    chosen = None if window is None else choice("--window", window, {name: name for name in WINDOWS})
    model, places = load_plant(folder), filter_of(wanted)
    start, end = _reader(model, places).between(begin, until)
    history = _history(model, places, (first, second), start, end, file)
    rows = compare(history.sides[0], history.sides[1], history.plans, start, end, chosen)
    if not rows:
        raise UserError(
            f"{wanted}: no {window or 'shift or hour'} begins between --from and --to in what is there"
            + "".join(f"; {note}" for note in history.notes)
        )
    if as_json:
        emit(document(rows, first, second, history.raw_records, history.refused, history.notes))
    else:
        width = None if sys.stdout.isatty() else 160
        console = Console(highlight=False, width=width)
        show(rows, first, second, history.refused, history.notes, console, most)


def _reader(plant: "Plant", places: "Filter") -> "Reader":
    from uns.cli.times import Reader
    from uns.model.zones import SiteZones
    from uns.runtime import clock
    from uns.runtime.running import effective_settings

    return Reader(clock.from_spec(effective_settings().clock)(), SiteZones(plant), [places])


def _history(
    plant: "Plant",
    places: "Filter",
    definitions: "tuple[Definition, Definition]",
    start: int,
    end: int,
    file: Path | None,
) -> "TwoHistories":
    """Raises `UserError`."""
    from uns.cli.failures import failures_told
    from uns.cli.replay import progress_bar
    from uns.client.connection import codec, connection
    from uns.history.kpi.sides import folded, from_file
    from uns.history.replay.recompute import raw_partitions

    there = raw_partitions(plant, places)
    if not there:
        raise UserError(f"{places}: no machine of the plant model; `uns lint` checks it")
    if file is not None:
        try:
            return from_file(plant, file.read_bytes(), there, definitions, start, end)
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}") from error
    settings = connection()
    with failures_told(), progress_bar() as progress:
        return folded(settings, codec(settings), plant, there, definitions, start, end, progress)
