"""`uns --help`, and that of every command, imports nothing of what the commands work with."""

import json
import subprocess
import sys

HEAVY = {
    "aiokafka", "amqtt", "asyncua", "avro", "confluent_kafka", "fastavro", "faust", "httpx2", "kafka", "msgspec",
    "paho", "prometheus_client", "psutil", "psycopg", "pyarrow", "pydantic_settings", "rich", "starlette",
    "structlog", "uvicorn", "yaml",
}  # fmt: skip
HELPS = """
import contextlib, io, json, sys
from typer.main import get_command
from uns.cli.app import app

def helps(command, words):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as page:
        root([*words, "--help"])
    assert page.getvalue().startswith("Usage: "), words
    pages.append(" ".join(words))
    # Typer itself takes pydantic where an option stands before a command, but not for the list of all commands.
    assert words or "pydantic" not in sys.modules
    for name, inner in getattr(command, "commands", {}).items():
        helps(inner, [*words, name])

pages, root = [], get_command(app)
helps(root, [])
print(json.dumps({"pages": pages, "modules": sorted(sys.modules)}))
"""


def test_help_imports_no_work() -> None:
    done = subprocess.run([sys.executable, "-c", HELPS], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert len(told["pages"]) > 30
    assert {"", "run processors", "kpi compare", "schema get"} <= set(told["pages"])
    modules = {name.partition(".")[0] for name in told["modules"]}
    assert "typer" in modules
    assert modules & HEAVY == set()
    ours = {name for name in told["modules"] if name.partition(".")[0] in ("uns", "schemas", "topology", "processors")}
    assert {name for name in ours if not name.startswith("uns.cli")} == {"uns", "uns.errors"}


def test_the_version() -> None:
    done = subprocess.run([sys.executable, "-m", "uns", "--version"], capture_output=True, text=True, check=True)
    name, version = done.stdout.split()
    assert name == "uns-backbone"
    assert version[0].isdigit()
