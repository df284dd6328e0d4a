"""The options that several commands share, each said once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

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
FiltersOption = Annotated[
    list[str] | None,
    typer.Option("--filter", help="only what a source has by this name, MACHINE.TAG with * and ?; again for more"),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option", help="KEY=VALUE of the connector's configuration, e.g. security_mode=Sign; again for more"
    ),
]
MostOption = Annotated[int, typer.Option("--most", min=1, help="how many are listed at most")]
WaitOption = Annotated[float, typer.Option("--wait-s", min=0.1, help="longest look at a source, in seconds")]
MOST, WAIT_S = 20_000, 60.0


class Look(NamedTuple):
    """How a source is looked at: which of it, as whom, how much, how long."""

    filters: Sequence[str]
    options: Sequence[str]
    most: int
    wait_s: float


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
