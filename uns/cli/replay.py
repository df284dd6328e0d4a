"""`uns replay`: history computed again from the raw log, compared with what was published, and corrected."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.options import TIMES, FilterArgument, PlantOption, YesOption, from_option, which_plant

if TYPE_CHECKING:
    from schemas.codec import Codec
    from uns.history.replay.recompute import Progress, Recomputed, Request
    from uns.runtime.settings import Settings

DIFFERENT, TROUBLE = 1, 2


@app.command()
def replay(
    wanted: FilterArgument,
    begin: Annotated[str, from_option("the records")] = "beginning",
    until: Annotated[str | None, typer.Option("--to", help=f"end, excluded: now, {TIMES} (default: no end)")] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", "-c", help="message class, e.g. oee; again for more (default: all but current)"),
    ] = None,
    definition: Annotated[
        str | None, typer.Option(help="fold under this KPI definition, name@version (default: the plant's)")
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="fold in what came so late, e.g. 30d (default: the plant's correction horizon)")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish/--dry-run", help="publish corrections, or only show what would be")
    ] = False,
    yes: YesOption = False,
    most: Annotated[int, typer.Option("--show", min=0, help="differences in the table; --json prints all")] = 50,
    plant: PlantOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON document a difference, a summary at the end; times in UTC")
    ] = False,
) -> None:
    """Fold the raw log again and show what differs from what was published. Exit code 0 equal, 1 different, 2 trouble.

    With --publish corrections go out as new revisions; 0 then means that nothing is left to correct.
    """
    from rich.console import Console

    from uns.client.connection import codec, connection
    from uns.history.replay.recompute import recompute
    from uns.history.replay.report import documents, show, summary

    with _trouble():
        settings = connection()
        request = _request(settings, wanted, begin, until, classes, definition, horizon, which_plant(plant))
        records = codec(settings)
        with progress_bar() as progress:
            comparison = recompute(settings, records, request, progress)
        console = Console(highlight=False)
        if as_json:
            for document in documents(comparison):
                emit(document)
        else:
            show(comparison, console, most)
        if not comparison.compared:
            raise UserError(f"group {request.group}: nothing could be compared: {'; '.join(comparison.notes)}")
        published = _publish(settings, records, request, comparison, yes) if publish else None
    if as_json:
        emit(summary(comparison, published))
    elif line := _conclusion(comparison, published):
        console.print(line)
    if _left(comparison) if published == len(comparison.corrections) else not comparison.equal:
        raise typer.Exit(DIFFERENT)


def _conclusion(comparison: "Recomputed", published: int | None) -> str:
    """The last line for people; none where only differences are left that no correction mends."""
    if published is not None:
        return f"{published} corrections published"
    if corrections := len(comparison.corrections):
        return f"{corrections} corrections; --publish sends them"
    if comparison.equal:
        return f"{comparison.records} raw records folded; what was published is what they say"
    return ""


def _left(comparison: "Recomputed") -> bool:
    """Whether differences remain once every correction is out."""
    from uns.history.replay.diff import DIFFERENCES, Skip

    return any(verdict.kind in DIFFERENCES and isinstance(outcome, Skip) for verdict, outcome in comparison.differences)


def _request(
    settings: "Settings",
    wanted: str,
    begin: str,
    until: str | None,
    classes: list[str] | None,
    definition: str | None,
    horizon: str | None,
    folder: Path,
) -> "Request":
    """Raises `UserError`."""
    from topology.model.kpis import known_definition
    from uns.cli.times import Reader, hours
    from uns.cli.words import classes_of, filter_of
    from uns.engine.config import EngineConfig
    from uns.history.replay.offline import COMPARED
    from uns.history.replay.recompute import Request, raw_partitions
    from uns.model.plant import load_plant
    from uns.model.zones import SiteZones
    from uns.runtime import clock

    plant = load_plant(folder)
    places = filter_of(wanted)
    label = definition or plant.kpi.definition
    try:
        known_definition(plant, label)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    named = frozenset(classes_of(classes or COMPARED, COMPARED))
    if strangers := sorted(named - set(COMPARED)):
        raise UserError(f"{', '.join(strangers)}: nothing to compare; there are {', '.join(COMPARED)}")
    reader = Reader(clock.from_spec(settings.clock)(), SiteZones(plant), [places])
    start, end = reader.between(begin, until)
    horizon_h = plant.time.horizon_h if horizon is None else hours("--horizon", horizon)
    if horizon_h < plant.time.horizon_h:
        raise UserError(f"--horizon {horizon} is below the plant's correction horizon of {plant.time.horizon_h:g} h")
    if not raw_partitions(plant, places):
        raise UserError(f"{wanted}: no machine of the plant model in {folder}; `uns lint` checks it")
    group = EngineConfig().group or f"uns-processors-{plant.enterprise}"
    return Request(plant, group, places, named, start, end, label, horizon_h)


def _publish(settings: "Settings", records: "Codec", request: "Request", comparison: "Recomputed", yes: bool) -> int:
    """How many corrections went out."""
    from uns.history.replay.publish import publish

    count = len(comparison.corrections)
    if count and not yes and sys.stdin.isatty():
        typer.confirm(f"publish {count} corrections?", abort=True, err=True)
    done = 0
    for done in publish(settings, records, comparison.corrections, str(request.plant.enterprise)):
        if sys.stderr.isatty():
            typer.echo(f"\r{done} of {count} published", err=True, nl=done == count)
    return done


@contextmanager
def progress_bar() -> Iterator["Progress"]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks = {}

        def passed(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield passed


@contextmanager
def _trouble() -> Iterator[None]:
    """Like diff(1): what keeps us from an answer is neither equal nor different."""
    from uns.cli.failures import failures_told
    from uns.history.replay.offline import Overtaken
    from uns.kafka.publish import NotPublished

    try:
        with failures_told(NotPublished, Overtaken):
            yield
    except UserError as error:
        typer.secho(f"uns: {error}", err=True, fg="red")
        raise typer.Exit(TROUBLE) from error
