"""`uns run rollups`: Kpi records of lines, areas, sites and the enterprise."""

from typing import Annotated

import typer

from uns.cli.app import UserError, run
from uns.cli.options import PlantOption


@run.command()
def rollups(
    plant: PlantOption = None,
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
    from uns.cli.times import hours
    from uns.client.connection import codec, connection
    from uns.model.plant import load_plant
    from uns.runners.rollup.service import serve

    settings = connection()
    model = load_plant(plant or settings.plant)
    if not model.areas():
        raise UserError(f"{plant or settings.plant}: the plant has no areas, there is nothing to roll up")
    kept_open_h = None if horizon is None else hours("--horizon", horizon)
    kept_h = model.retention.derived_h
    if kept_open_h is not None and kept_h is not None and kept_open_h > kept_h - model.time.horizon_h:
        raise UserError(
            f"--horizon {horizon}: derived topics are kept for {kept_h:g} h; so long ago, parts of a whole may be gone"
        )
    horizon_us = None if kept_open_h is None else round(kept_open_h * 3_600_000_000)
    raise typer.Exit(serve(settings, model, codec(settings, (Kpi,)), horizon_us))
