"""`uns schema …` and `uns run registry`: the record schemas and where they are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import UserError, emit, run, schema
from uns.cli.options import JsonOption

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient


@run.command()
def registry(port: Annotated[int, typer.Option(help="port to listen on")] = 8081) -> None:
    """Serve the schema registry (Confluent's REST contract) over the topic _schemas. One per cluster."""
    from uns.client.connection import connection
    from uns.registry.serve import serve

    serve(connection(), port)


@contextmanager
def _asking() -> "Iterator[SchemaRegistryClient]":
    """A registry client whose failures become words for the user."""
    import httpx2
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    from uns.client.connection import connection

    url = connection().registry
    if url is None:
        raise UserError("no schema registry: set UNS_REGISTRY")
    try:
        yield SchemaRegistryClient({"url": url, "timeout": 5, "max.retries": 1})
    except SchemaRegistryError as error:
        hint = "; `uns schema list` shows what there is" if error.http_status_code == 404 else ""
        raise UserError(f"{error.error_message.rstrip('.')}{hint}") from error
    except (httpx2.HTTPError, ValueError) as error:  # nobody there, or something that is no registry
        raise UserError(f"the schema registry does not answer: {error}; is UNS_REGISTRY right?") from error


@schema.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Subjects of the registry with their newest version and id."""
    with _asking() as client:
        newest = [client.get_latest_version(subject) for subject in sorted(client.get_subjects())]
    if as_json:
        emit([{"subject": each.subject, "version": each.version, "id": each.schema_id} for each in newest])
        return
    for each in newest:
        typer.echo(f"{each.subject:<28} version {each.version:<4} id {each.schema_id}")


@schema.command()
def get(
    subject: Annotated[str, typer.Argument(help="e.g. uns.Samples")],
    version: Annotated[int | None, typer.Option(min=1, help="the newest by default")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print one schema; with --json also its subject, version and id."""
    import json

    with _asking() as client:
        registered = client.get_latest_version(subject) if version is None else client.get_version(subject, version)
    content: Any = json.loads(registered.schema.schema_str)
    if as_json:
        emit(
            {
                "subject": registered.subject,
                "version": registered.version,
                "id": registered.schema_id,
                "schema": content,
            }
        )
    else:
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


@schema.command()
def show(record: Annotated[str, typer.Argument(help="e.g. Samples")]) -> None:
    """Print the whole schema of an installed record, as `uns apply` registers it."""
    from schemas.catalog import source
    from schemas.records import TYPES

    if record not in TYPES:
        raise UserError(f"{record!r} is no record of the namespace; there are {', '.join(TYPES)}")
    typer.echo(source(record), nl=False)


@schema.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE…]", help="schemas to check instead of the installed ones")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that each record's schema can read everything its published versions wrote. Exit code 1 when one cannot."""
    from schemas.history import broken

    problems = [problem for file in files for problem in _check_file(file)] if files else broken()
    if as_json:
        emit([{"record": record, "problem": problem} for record, problem in problems])
    else:
        for record, problem in problems:
            typer.echo(f"{record}: {problem}")
        if not problems:
            typer.echo("every schema reads what its published versions wrote")
    if problems:
        raise typer.Exit(1)


def _check_file(file: Path) -> list[tuple[str, str]]:
    import json

    from schemas.compatibility import InvalidSchema
    from schemas.history import problems_of
    from schemas.records import TYPES

    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text)
        name = content.get("name") if isinstance(content, dict) else None
        if name not in TYPES:
            return [(str(file), f"{name!r} is no record of the namespace; there are {', '.join(TYPES)}")]
        return [(str(file), problem) for problem in problems_of(name, text)]
    except (InvalidSchema, json.JSONDecodeError, UnicodeDecodeError) as error:
        return [(str(file), str(error))]
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error


@schema.command()
def register(as_json: JsonOption = False) -> None:
    """Register the schema of every record (BACKWARD_TRANSITIVE) and print the ids. `uns apply` does it too."""
    from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, ServerConfig

    from schemas.catalog import sources
    from schemas.history import COMPATIBILITY

    ids = {}
    with _asking() as client:
        for subject, text in sources().items():
            client.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel(COMPATIBILITY.value)))
            ids[subject] = client.register_schema(subject, Schema(text, "AVRO"))
    if as_json:
        emit(ids)
        return
    for subject, id_ in ids.items():
        typer.echo(f"{subject:<28} id {id_}")
