"""`uns fold`: the line fold offline over a file, without Kafka or network."""

import sys
from typing import Annotated, NoReturn

import typer

from uns.cli.app import FAILED, USAGE, UserError, app
from uns.cli.options import PlantOption, which_plant

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
    plant: PlantOption = None,
    until: Annotated[
        str | None,
        typer.Option(help="time ends there: an ISO time with offset (default: with the file)"),
    ] = None,
    every: Annotated[bool, typer.Option("--all-revisions", help="every revision, not the last of each record")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document a record; times in UTC")] = False,
) -> None:
    """Fold a file's raw records: states, stops, pieces, OEE and all else that the processors derive.

    Exit code 0; 1 when something was refused (the rest is folded); 2 when the file or the plant cannot be read.
    """
    from schemas.text import micros
    from uns.history.file.fold import fold as folded
    from uns.history.file.read import as_far_as, read
    from uns.history.file.source import UNREADABLE, lines
    from uns.model.plant import load_plant

    try:
        model = load_plant(which_plant(plant))
        end = None if until is None else micros(until)
    except ValueError as error:
        _unusable(f"--until: {error}")
    except UserError as error:
        _unusable(str(error))
    try:
        with lines(file) as data:
            result = folded(model, as_far_as(read(data), UNREADABLE), end, every)
    except UNREADABLE as error:
        _unusable(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}")
    if as_json:
        from uns.history.file.documents import documents

        for document in documents(result):
            sys.stdout.buffer.write(document)
    else:
        from rich.console import Console

        from uns.history.file.table import show

        show(result, Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    for refused in result.refused:
        typer.echo(f"uns: line {refused.line}: {refused.reason}: {refused.message}", err=True)
    for words in result.resemblances(model):
        typer.echo(f"uns: {words}", err=True)
    typer.echo(f"uns: {result.summary}", err=True)
    if result.refused:
        raise typer.Exit(FAILED)


def _unusable(message: str) -> NoReturn:
    typer.secho(f"uns: {message}", err=True, fg="red")
    raise typer.Exit(USAGE)
