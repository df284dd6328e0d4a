"""`uns demo`: a whole plant on this machine, and the truth about it at the end."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, stop_on_sigterm


@app.command()
def demo(
    for_: Annotated[
        str | None, typer.Option("--for", help="how long, e.g. 90s or 10m; until Ctrl-C by default")
    ] = None,
    summary: Annotated[Path | None, typer.Option(help="write what came of it as JSON; needs --for")] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="kill -9 processors, roll-ups, each connector on the way; needs --for")
    ] = False,
    rate: Annotated[
        float, typer.Option(min=1, max=600, help="how many times as fast as yours the plant's clock runs")
    ] = 60.0,
    seed: Annotated[int, typer.Option(help="seed of everything that happens in the plant")] = 1,
    port: Annotated[int | None, typer.Option(help="port of the page (default: 8080, or a free one)")] = None,
    folder: Annotated[Path | None, typer.Option(help="where the run keeps its data; a new folder by default")] = None,
) -> None:
    """Run a demo plant end to end: machines, Kafka, folds, sinks and the page."""
    import time

    from uns.demo.run import Demo, Options
    from uns.demo.summary import closing_box, collect, opening_box
    from uns.local.folder import farewell, in_use
    from uns.runtime.settings import settings
    from uns.runtime.telemetry import quiet

    quiet()
    stop_on_sigterm()
    duration_s = _duration_s(for_) if for_ else None
    if duration_s is None and (summary or chaos):
        raise UserError("--summary and --chaos need an end: add --for 90s")
    place = folder or settings().state_dir / "demo" / time.strftime("%Y%m%d-%H%M%S")
    if in_use(place):
        raise UserError(f"{place} is in use by a run that goes on; name another folder")
    if (place / "truth.jsonl").exists():
        raise UserError(f"{place} holds an earlier run; name another folder, or delete it: rm -r {place}")
    run = Demo(settings(), Options(duration_s, rate, seed, chaos, port), place, typer.echo)
    result = None
    try:
        run.start()
        run.wait_first_derived()
        opening_box(run)
        run.run()
        typer.echo("✓ the plant has stopped; letting everything arrive")
        run.settle()
        result = collect(run)
        if summary:
            import json

            summary.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        closing_box(result)
    except KeyboardInterrupt:
        typer.echo("\nstopping")
    finally:
        run.close()
        typer.echo(farewell(place, f"UNS_STATE_DIR={place} uns up --plant {place}/plant"))
    if result is not None and not result["ok"]:
        raise typer.Exit(1)


def _duration_s(text: str) -> float:
    from uns.cli.times import span_s

    seconds = span_s("--for", text, "90s, 10m or 1h")
    if not 20 <= seconds <= 24 * 3600:
        raise UserError(f"--for {text}: between 20s and 24h")
    return seconds
