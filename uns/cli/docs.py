"""`uns docs …`: pages written from the code."""

import typer

from uns.cli.app import app, group

docs = group("Pages of the documentation that are written from the code.", {"records": "docs"})
app.add_typer(docs, name="docs")


@docs.command()
def records() -> None:
    """Print docs/records.md: every record with its fields, from the Avro schemas."""
    from uns.docs import records_page

    typer.echo(records_page(), nl=False)
