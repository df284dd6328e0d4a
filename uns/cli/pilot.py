"""`uns pilot report`: a pilot's targets, before against after, with uncertainty and a verdict."""

from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.kpi import JsonOption, PlantOption

pilot = typer.Typer(no_args_is_help=True, help="Pilots: a baseline, targets, and what came of them.")
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
    from uns.cli.compare import troubles
    from uns.client.connection import codec, connection
    from uns.kafka.publish import NotPublished
    from uns.reports.pilot import document, examine, page
    from uns.reports.pilot import publish as put
    from uns.reports.plant import known_to

    settings = connection()
    known = known_to(plant or settings.plant, given=True)
    assert known.plant is not None
    there = known.plant.pilot
    if name is not None and name not in there:
        raise UserError(f"pilot {name!r} is not in the plant model; there are {', '.join(there) or 'none'}")
    if not there:
        raise UserError("the plant model has no pilot; docs/pilot.md shows one")
    records = codec(settings)
    found, problems = [], []
    for one in [name] if name is not None else list(there):
        at = None if day is None else _day(day, there[one].zone)
        try:
            with troubles():
                found.append(examine(settings, records, one, known, known.now(settings), at))
        except UserError as error:
            problems.append(str(error))
    if as_json:
        emit([document(one) for one in found])
    elif found:
        typer.echo("\n\n".join(map(page, found)))
    for told in found if publish else []:
        try:
            with troubles():
                written = put(settings, records, told)
        except NotPublished as error:
            raise UserError(str(error)) from error
        words = "nothing new to publish" if written is None else f"published {written.id} ({written.status})"
        typer.echo(f"{told.name}: {words}", err=as_json)
    if problems:  # one that cannot be told does not hide the others
        raise UserError("\n".join(problems))


def _day(text: str, zone: str) -> int:
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from schemas.text import micros_of

    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise UserError(f"--day {text!r}: a day such as 2026-11-22 is expected") from None
    return micros_of(datetime(found.year, found.month, found.day, tzinfo=ZoneInfo(zone)))
