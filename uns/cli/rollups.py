"""`uns run rollups`: Kpi records of lines, areas, sites and the enterprise."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, run


@run.command()
def rollups(
    plant: Annotated[Path | None, typer.Option(help="folder of the plant model (default: UNS_PLANT)")] = None,
    horizon: Annotated[
        str | None,
        typer.Option(
            help="hold windows so long after their end, e.g. 30d (default: the plant's correction horizon): takes in what "
            "came late, such as what `uns replay --publish` corrected"
        ),
    ] = None,
) -> None:
    """Roll the machines' Kpi records up to lines, areas, sites and the enterprise, exactly once. One an enterprise."""
    from schemas.records import Kpi
    from uns.client.connection import codec, connection
    from uns.model.plant import load_plant
    from uns.runners.rollup.service import serve

    settings = connection()
    model = load_plant(plant or settings.plant)
    if not model.areas():
        raise UserError(f"{plant or settings.plant}: the plant has no areas, there is nothing to roll up")
    hours = None if horizon is None else _hours(horizon)
    kept_h = model.retention.derived_h
    if hours is not None and kept_h is not None and hours > kept_h - model.time.horizon_h:
        raise UserError(
            f"--horizon {horizon}: derived topics are kept for {kept_h:g} h; so long ago, parts of a whole may be gone"
        )
    horizon_us = None if hours is None else round(hours * 3_600_000_000)
    raise typer.Exit(serve(settings, model, codec(settings, (Kpi,)), horizon_us))


def _hours(text: str) -> float:
    """The length of a span such as 72h or 30d."""
    unit = {"h": 1, "d": 24}.get(text[-1:])
    if unit is None or not text[:-1].isdigit() or int(text[:-1]) == 0:
        raise UserError(f"--horizon {text!r}: expected a span such as 72h or 30d")
    return float(int(text[:-1]) * unit)
