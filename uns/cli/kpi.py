"""`uns kpi list | show | lint | diff`: what the shared KPI definitions say, and what difference they make."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit

if TYPE_CHECKING:
    from topology.kpi.definition import Definition
    from topology.model.plant import Plant
    from uns.history.kpi.sides import History

kpi = typer.Typer(no_args_is_help=True, help="KPI definitions: shared, versioned, readable.")
app.add_typer(kpi, name="kpi")

PlantOption = Annotated[Path | None, typer.Option("--plant", help="plant model (default: UNS_PLANT, else ./plant)")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document")]


@kpi.command("list")
def list_(plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Definitions: those that are shipped and the plant's own, and where each is from."""
    from uns.model.kpi import known, summary

    rows = [summary(one) for one in known(_folder(plant), os.environ).values()]
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

    one = select(known(_folder(plant), os.environ), name)
    if kpi_id is not None:
        found = select_kpi(one.definition, kpi_id)
        if as_json:
            emit({"definition": one.definition.label, "id": kpi_id, **found.model_dump(mode="json")})
        else:
            typer.echo(kpi_text(kpi_id, found))
    elif as_json:
        emit({**summary(one), **one.definition.model_dump(mode="json")})
    else:
        typer.echo(text(one))


@kpi.command()
def lint(
    path: Annotated[
        Path | None,
        typer.Argument(help="plant folder, or a file with one definition (default: UNS_PLANT, else ./plant)"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check KPI definitions: every problem with its file, its line and what to do. `uns lint` does so too."""
    from uns.model.kpi import lint as problems_of

    place = _folder(path)
    problems = problems_of(place, os.environ)
    if as_json:
        emit([{"file": one.file, "line": one.line, "where": one.where, "message": one.message} for one in problems])
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
    wanted: Annotated[str, typer.Argument(metavar="FILTER", help="MQTT filter over paths, e.g. 'acme/dallas/#'")],
    begin: Annotated[
        str, typer.Option("--from", help="begin of the windows: beginning, an ISO time with offset, or 8h, 2d ago")
    ] = "beginning",
    until: Annotated[str, typer.Option("--to", help="the same, excluded: now, an ISO time, a span back")] = "now",
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

    from uns.history.kpi.diff import WINDOWS, compare
    from uns.history.kpi.report import document, show
    from uns.model.kpi import known, select
    from uns.model.plant import load_plant

    folder = _folder(plant)
    definitions = known(folder, os.environ)
    one, other = (select(definitions, name).definition for name in (a, b))
    chosen = next((name for name in WINDOWS if name == window), None)
    if window is not None and chosen is None:
        raise UserError(f"--window {window!r}: there are {', '.join(WINDOWS)}")
    start, end = _between(begin, until)
    history = _history(load_plant(folder), wanted, (one, other), start, end, file)
    rows = compare(history.sides[0], history.sides[1], history.plans, start, end, chosen)
    if not rows:
        raise UserError(
            f"{wanted}: no {window or 'shift or hour'} begins between --from and --to in what is there"
            + "".join(f"; {note}" for note in history.notes)
        )
    if as_json:
        emit(document(rows, one, other, history.raw_records, history.refused, history.notes))
    else:
        width = None if sys.stdout.isatty() else 160
        console = Console(highlight=False, width=width)
        show(rows, one, other, history.refused, history.notes, console, most)


def _between(begin: str, until: str) -> tuple[int, int]:
    """µs. Raises `UserError`."""
    from uns.cli.replay import instant
    from uns.runtime import clock
    from uns.runtime.settings import settings

    now = clock.from_spec(settings().clock)()
    try:
        start, end = instant("--from", begin, now), instant("--to", until, now)
    except ValueError as error:
        raise UserError(str(error)) from error
    if start >= end:
        raise UserError(f"--from {begin} is not before --to {until}")
    return start, end


def _history(
    plant: "Plant", wanted: str, definitions: "tuple[Definition, Definition]", start: int, end: int, file: Path | None
) -> "History":
    """Raises `UserError`."""
    from confluent_kafka import KafkaException

    from topology.namespace.filters import BadFilter, Filter
    from uns.cli.replay import progress_bar
    from uns.client.connection import codec, connection
    from uns.history.kpi.sides import folded, from_file
    from uns.history.replay.recompute import parts
    from uns.registry.client import RegistryUnavailable

    try:
        asked = Filter.parse(wanted)
    except BadFilter as error:
        raise UserError(str(error)) from error
    there = parts(plant, asked)
    if not there:
        raise UserError(f"{wanted}: no machine of the plant model; `uns lint` checks it")
    if file is not None:
        try:
            return from_file(plant, file.read_bytes(), there, definitions, start, end)
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}") from error
    settings = connection()
    try:
        with progress_bar() as progress:
            return folded(settings, codec(settings), plant, there, definitions, start, end, progress)
    except KafkaException as error:
        raise UserError(f"Kafka: {error.args[0].str()}; `uns doctor` looks closer") from error
    except (RegistryUnavailable, TimeoutError) as error:
        raise UserError(str(error)) from error


def _folder(path: Path | None) -> Path:
    from uns.runtime.settings import settings

    return path or settings().plant
