"""`uns docs …`: pages written from the code."""

import typer

from uns.cli.app import app

docs = typer.Typer(no_args_is_help=True)
app.add_typer(docs, name="docs")


@docs.callback()
def group() -> None:
    """Pages of the documentation that are written from the code."""


@docs.command()
def records() -> None:
    """Print docs/records.md: every record with its fields, from the Avro schemas."""
    from uns.docs import records_page

    typer.echo(records_page(), nl=False)
