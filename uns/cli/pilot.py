"""`uns pilot report`: a pilot's targets, before against after, with uncertainty and a verdict."""

from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit, group
from uns.cli.options import JsonOption, PlantOption

pilot = group("Pilots: a baseline, targets, and what came of them.", {"report": "pilot"})
app.add_typer(pilot, name="pilot")


@pilot.command()
def report(
    name: Annotated[str | None, typer.Argument(help="a pilot of the plant model; all by default")] = None,
    day: Annotated[str | None, typer.Option(help="as of the end of this day, e.g. 2026-11-22 (default: now)")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="put it on the namespace as a Pilot record, too")] = False,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """What each target was, what it is now, and whether that is reached, on the way, or cannot be told."""
    from processors.analysis.selection import Incomparable
    from uns.cli.failures import failures_told
    from uns.cli.words import member
    from uns.client.connection import codec, connection
    from uns.client.subscribe import NothingMatches
    from uns.kafka.publish import NotPublished
    from uns.reports.pilot import document, examine, page
    from uns.reports.pilot import publish as put
    from uns.reports.plant import known_to

    settings = connection()
    known = known_to(plant or settings.plant, given=True)
    assert known.plant is not None
    pilots = known.plant.pilot
    if not pilots:
        raise UserError("the plant model has no pilot; docs/pilot.md shows one")
    if name is not None:
        member("pilot", name, pilots, "the plant model")
    records = codec(settings)
    reports, problems = [], []
    for each in pilots if name is None else [name]:
        at = None if day is None else _day_us(day, pilots[each].zone)
        try:
            with failures_told(Incomparable, NothingMatches, LookupError):
                reports.append(examine(settings, records, each, known, known.now(settings), at))
        except UserError as error:
            problems.append(str(error))
    if as_json:
        emit([document(told) for told in reports])
    elif reports:
        typer.echo("\n\n".join(map(page, reports)))
    for told in reports if publish else []:
        with failures_told(Incomparable, NothingMatches, LookupError, NotPublished):
            written = put(settings, records, told)
        words = "nothing new to publish" if written is None else f"published {written.id} ({written.status})"
        typer.echo(f"{told.name}: {words}", err=as_json)
    if problems:  # one that cannot be told does not hide the others
        raise UserError("\n".join(problems))


def _day_us(text: str, zone: str) -> int:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from schemas.text import micros_of
    from uns.cli.times import day

    date = day("--day", text)
    return micros_of(datetime(date.year, date.month, date.day, tzinfo=ZoneInfo(zone)))
