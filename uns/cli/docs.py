"""`uns docs`: pages written from the code."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app


@app.command()
def docs(
    folder: Annotated[Path, typer.Argument(help="folder of the documentation")] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="write nothing; fail when a page is not current")] = False,
) -> None:
    """Write the pages of the documentation that follow from the code: records, and every option there is."""
    from uns.reference.pages import stale, write

    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; run it in the project's, or name the folder of the documentation")
    if check:
        if names := stale(folder):
            raise UserError(f"{', '.join(names)} in {folder}: not current; `uns docs` writes them anew")
        typer.echo(f"{folder}: current")
        return
    for name in write(folder):
        typer.echo(f"wrote {folder / name}")
