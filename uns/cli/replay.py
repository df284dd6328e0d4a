"""`uns replay`: history computed again from the raw log, compared with what was published, and corrected."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit

if TYPE_CHECKING:
    from schemas.codec import Codec
    from uns.history.replay.recompute import Found, Progress, Request
    from uns.runtime.settings import Settings

DIFFERENT, TROUBLE = 1, 2
FOREVER = 1 << 62


@app.command()
def replay(
    wanted: Annotated[str, typer.Argument(metavar="FILTER", help="MQTT filter over paths, e.g. 'acme/+/packaging/#'")],
    begin: Annotated[
        str, typer.Option("--from", help="begin of the records: beginning, an ISO time with offset, or 15m, 8h, 2d ago")
    ] = "beginning",
    until: Annotated[
        str | None, typer.Option("--to", help="the same, excluded: now, an ISO time, a span back (default: no end)")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", "-c", help="message class; again for more; all but current by default"),
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
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    most: Annotated[int, typer.Option("--show", min=0, help="differences in the table; --json prints all")] = 50,
    plant: Annotated[Path | None, typer.Option(help="folder of the plant model (default: UNS_PLANT)")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON document a difference, a summary at the end")
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
        request = _request(settings, wanted, begin, until, classes, definition, horizon, plant)
        records = codec(settings)
        with progress_bar() as progress:
            found = recompute(settings, records, request, progress)
        console = Console(highlight=False)
        if as_json:
            for document in documents(found):
                emit(document)
        else:
            show(found, console, most)
        if not found.compared:
            raise UserError(f"group {request.group}: nothing could be compared: {'; '.join(found.notes)}")
        done: int | None = None
        if publish:
            done = _publish(settings, records, request, found, yes)
    if as_json:
        emit(summary(found, done))
    elif done is not None:
        console.print(f"{done} corrections published")
    elif found.corrections:
        console.print(f"{len(found.corrections)} corrections; --publish sends them")
    elif found.equal:
        console.print(f"{found.records} raw records folded; what was published is what they say")
    left = _left(found) if done is not None and done == len(found.corrections) else not found.equal
    if left:
        raise typer.Exit(DIFFERENT)


def _left(found: "Found") -> bool:
    """Whether differences remain once every correction is out."""
    from uns.history.replay.diff import DIFFERENCES, Skip

    return any(verdict.kind in DIFFERENCES and isinstance(outcome, Skip) for verdict, outcome in found.differences)


def _request(
    settings: "Settings",
    wanted: str,
    begin: str,
    until: str | None,
    classes: list[str] | None,
    definition: str | None,
    horizon: str | None,
    folder: Path | None,
) -> "Request":
    """Raises `UserError`."""
    from topology.model.kpis import known_definition
    from topology.namespace.classes import MessageClass
    from topology.namespace.filters import BadFilter, Filter
    from uns.engine.config import EngineConfig
    from uns.history.replay.offline import COMPARED
    from uns.history.replay.recompute import Request, parts
    from uns.model.plant import load_plant
    from uns.runtime import clock

    plant = load_plant(folder or settings.plant)
    now = clock.from_spec(settings.clock)()
    label = definition or plant.kpi.definition
    try:
        found = Filter.parse(wanted)
        known_definition(plant, label)
        named = frozenset(MessageClass(name) for name in classes) if classes else frozenset(COMPARED)
        start = instant("--from", begin, now)
        end = FOREVER if until is None else instant("--to", until, now)
        horizon_h = plant.time.horizon_h if horizon is None else _hours(horizon, now)
    except (BadFilter, LookupError) as error:
        raise UserError(str(error.args[0])) from error
    except ValueError as error:
        hint = f"; there are {', '.join(COMPARED)}" if "MessageClass" in str(error) else ""
        raise UserError(f"{error}{hint}") from error
    if strangers := sorted(named - set(COMPARED)):
        raise UserError(f"{', '.join(strangers)}: nothing to compare; there are {', '.join(COMPARED)}")
    if start >= end:
        raise UserError(f"--from {begin} is not before --to {until}")
    if horizon_h < plant.time.horizon_h:
        raise UserError(f"--horizon {horizon} is below the plant's correction horizon of {plant.time.horizon_h:g} h")
    if not parts(plant, found):
        raise UserError(f"{wanted}: no machine of the plant model in {folder or settings.plant}; `uns lint` checks it")
    group = EngineConfig().group or f"uns-processors-{plant.enterprise}"
    return Request(plant, group, found, named, start, end, label, horizon_h)


def instant(option: str, text: str, now_us: int) -> int:
    """Microseconds UTC. Raises `ValueError`."""
    from schemas.text import micros
    from uns.client.subscribe import begin_at

    if text == "beginning":
        return 0
    if text == "now":
        return now_us
    if text[:1].isdigit() and text[-1:] in "smhd":
        found = begin_at(text, datetime.fromtimestamp(now_us / 1e6, UTC))
        if isinstance(found, int):
            return found * 1000
    try:
        return micros(text)
    except ValueError as error:
        expected = "beginning, now, an ISO time with offset, or a span back such as 15m, 8h, 2d"
        raise ValueError(f"{option} {text!r}: {error}; expected {expected}") from None


def _hours(text: str, now_us: int) -> float:
    """The length of a span such as 30d. Raises `ValueError`."""
    if not (text[:1].isdigit() and text[-1:] in "smhd"):
        raise ValueError(f"--horizon {text!r}: expected a span such as 72h or 30d")
    return round((now_us - instant("--horizon", text, now_us)) / 3_600_000_000, 3)


def _publish(settings: "Settings", records: "Codec", request: "Request", found: "Found", yes: bool) -> int:
    """How many corrections went out."""
    from uns.history.replay.publish import publish

    count = len(found.corrections)
    if count and not yes and sys.stdin.isatty():
        typer.confirm(f"publish {count} corrections?", abort=True, err=True)
    done = 0
    for done in publish(settings, records, found.corrections, str(request.plant.enterprise)):
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
    from confluent_kafka import KafkaException

    from uns.history.replay.offline import Overtaken
    from uns.kafka.publish import NotPublished
    from uns.registry.client import RegistryUnavailable

    try:
        yield
    except KafkaException as error:
        text = f"Kafka: {error.args[0].str()}; `uns doctor` looks closer, `uns apply` makes the plant's topics"
    except (UserError, RegistryUnavailable, NotPublished, Overtaken, TimeoutError) as error:
        text = str(error)
    else:
        return
    typer.secho(f"uns: {text}", err=True, fg="red")
    raise typer.Exit(TROUBLE)
