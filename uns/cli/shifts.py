"""`uns shifts`: what the plant's calendars say, before anything is counted by them."""

from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.options import JsonOption, PlantOption, which_plant


@app.command()
def shifts(
    line: Annotated[str, typer.Argument(help="a line, e.g. acme/dallas/packaging/line-1")],
    begin: Annotated[str | None, typer.Option("--from", help="first day, e.g. 2026-10-24 (default: today)")] = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="how many days")] = 7,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a line's shifts in its own time zone, with their true length over changes of the clock."""
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from schemas.text import moment, to_plain
    from uns.cli.times import day
    from uns.cli.words import path_of
    from uns.model.plant import load_plant
    from uns.runtime import clock
    from uns.runtime.running import effective_settings

    model = load_plant(which_plant(plant))
    place = path_of(line)
    if place not in model.calendars:
        lines = ", ".join(map(str, model.calendars)) or "none; write `shifts` into the plant model"
        raise UserError(f"{line}: no calendar holds for it; lines with one: {lines}")
    calendar = model.shifts[model.calendars[place]]
    zone = ZoneInfo(calendar.zone)
    today = moment(clock.from_spec(effective_settings().clock)()).astimezone(zone).date()
    first = day("--from", begin) if begin else today
    planned = [
        shift
        for number in range(days)
        for shift in calendar.on(first + timedelta(days=number))
        if shift.ended_at > shift.started_at
    ]
    if as_json:
        emit([to_plain(shift) for shift in planned])
        return
    for shift in planned:
        start, end = (moment(at).astimezone(zone) for at in (shift.started_at, shift.ended_at))
        pauses = sum(part.ended_at - part.started_at for part in shift.breaks) / 60_000_000
        length = (shift.ended_at - shift.started_at) / 3_600_000_000
        typer.echo(
            f"{start:%a %Y-%m-%d %H:%M %Z} to {end:%a %H:%M %Z}  {length:5.2f} h, breaks {pauses:g} min  {shift.id}"
        )
