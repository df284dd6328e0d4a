"""The options that several commands share, each said once."""

from pathlib import Path
from typing import Annotated

import typer

WHICH_PLANT = (
    "folder of the plant model (default: UNS_PLANT, else that of a running `uns up` or `uns demo`, else ./plant)"
)

PlantOption = Annotated[Path | None, typer.Option("--plant", help=WHICH_PLANT)]
PlantArgument = Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help=WHICH_PLANT)]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document; times in UTC")]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="one JSON document a line; times in UTC")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
FilterArgument = Annotated[
    str, typer.Argument(metavar="FILTER", help="MQTT filter over paths, e.g. 'acme/+/packaging/#'")
]
FiltersArgument = Annotated[
    list[str], typer.Argument(metavar="FILTER...", help="MQTT filters over paths, e.g. 'acme/+/packaging/#'")
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option("--class", "-c", help="message class, e.g. oee; again for more (default: all derived)"),
]
TIMES = "an ISO time (without offset: the site's time), or a span back, e.g. 15m, 8h, 2d"
UntilOption = Annotated[str, typer.Option("--to", help=f"end, excluded: now, {TIMES}")]
"""With `now` as its default."""


def from_option(what: str) -> object:
    """The `--from` of a command; `what` begins there."""
    return typer.Option("--from", help=f"begin of {what}: beginning, now, {TIMES}")


def which_plant(named: Path | None) -> Path:
    """The folder that is meant: the one named, else UNS_PLANT's, else that of what runs here, else ./plant."""
    from uns.runtime.running import effective_settings

    return named or effective_settings().plant
