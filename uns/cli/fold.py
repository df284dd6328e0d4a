"""`uns fold`: the line fold offline over a file, without Kafka or network."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from uns.cli.app import FAILED, USAGE, UserError, app

WIDTH = 120
"""Characters of a line of the table, where no terminal says."""


@app.command()
def fold(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="raw records, one JSON object a line, plain, gzip or zstd; - for standard input"
        ),
    ],
    plant: Annotated[Path | None, typer.Option(help="folder of the plant model (default: UNS_PLANT)")] = None,
    until: Annotated[
        str | None, typer.Option(help="time ends there, ISO 8601 with offset (default: with the file)")
    ] = None,
    every: Annotated[bool, typer.Option("--all-revisions", help="every revision, not the last of each record")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document a record")] = False,
) -> None:
    """Fold a file's raw records: states, stops, pieces, OEE and all else that the processors derive.

    Exit code 0; 1 when something was refused (the rest is folded); 2 when the file or the plant cannot be read.
    """
    from schemas.text import micros
    from uns.history.file.fold import fold as folded
    from uns.history.file.read import read
    from uns.history.file.source import UNREADABLE, lines
    from uns.model.plant import load_plant
    from uns.runtime.settings import settings

    try:
        model = load_plant(plant or settings().plant)
        end = None if until is None else micros(until)
    except ValueError as error:
        _unusable(f"--until: {error}")
    except UserError as error:
        _unusable(str(error))
    try:
        with lines(file) as data:
            found = folded(model, read(data), end, every)
    except UNREADABLE as error:
        _unusable(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}")
    if as_json:
        from uns.history.file.documents import documents

        for line in documents(found):
            sys.stdout.buffer.write(line)
    else:
        from rich.console import Console

        from uns.history.file.table import show

        show(found, Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    for one in found.refused:
        typer.echo(f"uns: line {one.line}: {one.reason}: {one.message}", err=True)
    for words in found.resemblances(model):
        typer.echo(f"uns: {words}", err=True)
    typer.echo(f"uns: {found.summary}", err=True)
    if found.refused:
        raise typer.Exit(FAILED)


def _unusable(message: str) -> NoReturn:
    typer.secho(f"uns: {message}", err=True, fg="red")
    raise typer.Exit(USAGE)
