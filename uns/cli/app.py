"""The command line's root: the typer app, the exit codes, and how an error looks to a user."""

import importlib
import json
import pkgutil
import signal
import sys
from typing import Any, NoReturn

import typer

from uns.errors import UserError

__all__ = ["UserError", "app", "emit", "fail", "main", "run", "schema"]

OK, FAILED, USAGE = 0, 1, 2

app = typer.Typer(
    name="uns",
    help="A unified namespace on Kafka: from machine signals to shared KPIs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
run = typer.Typer(
    no_args_is_help=True,
    help="Run one long-lived part: a connector, the processors, the roll-ups, a sink, the registry, the page.",
)
schema = typer.Typer(no_args_is_help=True, help="The record schemas in the registry.")
app.add_typer(run, name="run")
app.add_typer(schema, name="schema")


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
    """Entry point of `uns`. Commands live in the modules beside this one; each registers itself when imported."""
    import uns.cli as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
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
