"""`uns shifts`: what the plant's calendars say, before anything is counted by them."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit


@app.command()
def shifts(
    line: Annotated[str, typer.Argument(help="a line, e.g. acme/dallas/packaging/line-1")],
    begin: Annotated[str | None, typer.Option("--from", help="first day, e.g. 2026-10-24 (default: today)")] = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="how many days")] = 7,
    plant: Annotated[Path | None, typer.Option(help="folder of the plant model (default: UNS_PLANT)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Show a line's shifts in its own time zone, with their true length over changes of the clock."""
    from datetime import date, timedelta
    from zoneinfo import ZoneInfo

    from schemas.text import moment, to_plain
    from topology.namespace.path import BadPath
    from topology.namespace.path import Path as Place
    from uns.model.plant import load_plant
    from uns.runtime import clock
    from uns.runtime.settings import settings

    model = load_plant(plant or settings().plant)
    try:
        place = Place.parse(line)
        calendar = model.shifts[model.calendars[place]]
    except BadPath as error:
        raise UserError(str(error)) from error
    except KeyError:
        lines = ", ".join(map(str, model.calendars)) or "none; write `shifts` into the plant model"
        raise UserError(f"{line}: no calendar holds for it; lines with one: {lines}") from None
    zone = ZoneInfo(calendar.zone)
    try:
        today = moment(clock.from_spec(settings().clock)()).astimezone(zone).date()
        first = date.fromisoformat(begin) if begin else today
    except ValueError:
        raise UserError(f"--from {begin!r} is no date; write e.g. 2026-10-24") from None
    found = [
        shift
        for number in range(days)
        for shift in calendar.on(first + timedelta(days=number))
        if shift.ended_at > shift.started_at
    ]
    if as_json:
        emit([to_plain(shift) for shift in found])
        return
    for shift in found:
        start, end = (moment(at).astimezone(zone) for at in (shift.started_at, shift.ended_at))
        pauses = sum(part.ended_at - part.started_at for part in shift.breaks) / 60_000_000
        length = (shift.ended_at - shift.started_at) / 3_600_000_000
        typer.echo(
            f"{start:%a %Y-%m-%d %H:%M %Z} to {end:%a %H:%M %Z}  {length:5.2f} h, breaks {pauses:g} min  {shift.id}"
        )
