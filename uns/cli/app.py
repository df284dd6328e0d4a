"""The command line's root: which module holds which command, the exit codes, and how an error looks to a user."""

import importlib
import json
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from uns.errors import UserError

__all__ = ["UserError", "app", "emit", "fail", "group", "main", "run", "schema"]

OK, FAILED, USAGE = 0, 1, 2

Command = TyperCommand | TyperGroup


def group(help_text: str, modules: Mapping[str, str], **settings: Any) -> typer.Typer:
    """A group of commands: name of a command → module of this package that registers it with `@group.command()`.

    A module is imported when its command is asked for, and all of them for a list of the commands. So they import at
    their top only what options need, and their work inside the function.
    """

    class Commands(Mapping[str, Command]):
        def __init__(self) -> None:
            self._known: dict[str, Command] = {}

        def __getitem__(self, name: str) -> Command:
            if name not in self._known:
                importlib.import_module(f"uns.cli.{modules[name]}")
                self._known |= get_group(made).registered  # type: ignore[attr-defined]
            return self._known[name]

        def __contains__(self, name: object) -> bool:
            return name in modules

        def __iter__(self) -> Iterator[str]:
            return iter(modules)

        def __len__(self) -> int:
            return len(modules)

    class LazyGroup(TyperGroup):
        def __init__(self, *, commands: dict[str, Command], **attributes: Any) -> None:
            super().__init__(**attributes)
            self.registered = commands
            """What the modules that are imported by now have registered."""
            self.commands = Commands()  # type: ignore[assignment]

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            """The whole first sentence of each; the library cuts them off."""
            with formatter.section("Commands"):
                formatter.write_dl([(name, _first_sentence(command.help)) for name, command in self.commands.items()])

    # Plain help: to draw boxes takes longer than all else together.
    made = typer.Typer(cls=LazyGroup, no_args_is_help=True, help=help_text, rich_markup_mode=None, **settings)
    return made


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


app = group(
    "A unified namespace on Kafka: from machine signals to shared KPIs.",
    {
        "demo": "demo",
        "init": "plant",
        "lint": "plant",
        "apply": "plant",
        "up": "up",
        "doctor": "doctor",
        "health": "health",
        "tree": "namespace",
        "get": "namespace",
        "tail": "tail",
        "top": "top",
        "ack": "facts",
        "pub": "facts",
        "alarms": "alarms",
        "shifts": "shifts",
        "at": "moment",
        "diff": "moment",
        "fold": "fold",
        "replay": "replay",
        "audit": "audit",
        "kpi": "kpi",
        "pilot": "pilot",
        "condition": "condition",
        "drivers": "drivers",
        "quality": "quality",
        "connector": "connector",
        "opcua": "opcua",
        "sink": "sink",
        "dlq": "dlq",
        "schema": "schema",
        "certs": "certs",
        "docs": "docs",
        "export": "export",
        "run": "app",
    },
    name="uns",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
run = group(
    "Run one long-lived part: a connector, the processors, the roll-ups, a sink, the registry, the page, i3X, the status for Kafka consoles.",
    {
        "connector": "connector",
        "processors": "processors",
        "rollups": "rollups",
        "sink": "sink",
        "registry": "schema",
        "page": "page",
        "i3x": "i3x",
        "connect-status": "connect",
    },
)
schema = group(
    "The record schemas in the registry.", dict.fromkeys(("list", "show", "get", "check", "register"), "schema")
)
app.add_typer(run, name="run")
app.add_typer(schema, name="schema")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"uns-backbone {version('uns-backbone')}")
        raise typer.Exit(OK)


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """A unified namespace on Kafka: from machine signals to shared KPIs."""


def fail(message: str) -> NoReturn:
    """Ends the command with a message for the user and exit code 1."""
    raise UserError(message)


def emit(value: Any) -> None:
    """Prints one JSON document, the form of every `--json`."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def stop_on_sigterm() -> None:
    """SIGTERM ends this command as Ctrl-C does: in order, and with everything it started."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def main() -> None:
    """Entry point of `uns`: every error of a user's ends it with a message and exit code 1."""
    try:
        app()
    except UserError as error:
        typer.secho(f"uns: {error}", err=True, fg="red")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # A traceback is for us, not for a user at 3 a.m.: it is shown on request.
        from uns.runtime.settings import settings

        if settings().log_level == "debug":
            raise
        typer.secho(f"uns: {type(error).__name__}: {error} (UNS_LOG_LEVEL=debug shows where)", err=True, fg="red")
        sys.exit(FAILED)
