"""The toy command runs, and is in the list of commands."""

from pathlib import Path

from typer.testing import CliRunner

from uns.cli.app import app
from uns.model.starter import write


def test_it_counts_the_cells(tmp_path: Path) -> None:
    write(tmp_path, "opcua", "opc.tcp://127.0.0.1:4840")
    done = CliRunner().invoke(app, ["toy", "--plant", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert done.stdout == '{"cells": 1}\n'


def test_it_is_in_the_list() -> None:
    assert "Count the work units of the plant model" in CliRunner().invoke(app, ["--help"]).stdout
