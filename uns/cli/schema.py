"""`uns schema …` and `uns run registry`: the record schemas and where they are kept."""

from typing import Annotated

import typer

from uns.cli.app import UserError, emit, run, schema

JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document")]


@run.command()
def registry(port: Annotated[int, typer.Option(help="port to listen on")] = 8081) -> None:
    """Serve the schema registry (Confluent's REST contract) over the topic _schemas."""
    from uns.connection import connection
    from uns.registry.serve import serve

    serve(connection(), port)


def _client() -> "object":
    from confluent_kafka.schema_registry import SchemaRegistryClient

    from uns.connection import connection

    settings = connection()
    if settings.registry is None:
        raise UserError("no schema registry: set UNS_REGISTRY")
    return SchemaRegistryClient({"url": settings.registry, "timeout": 5, "max.retries": 1})


@schema.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Subjects of the registry with their newest version and id."""
    client = _client()
    found = []
    for subject in sorted(client.get_subjects()):  # type: ignore[attr-defined]
        newest = client.get_latest_version(subject)  # type: ignore[attr-defined]
        found.append({"subject": subject, "version": newest.version, "id": newest.schema_id})
    if as_json:
        emit(found)
        return
    for one in found:
        typer.echo(f"{one['subject']:<28} version {one['version']:<4} id {one['id']}")


@schema.command()
def get(
    subject: Annotated[str, typer.Argument(help="e.g. uns.Samples")],
    version: Annotated[int | None, typer.Option(help="the newest by default")] = None,
) -> None:
    """Print one schema."""
    import json

    from confluent_kafka.schema_registry.error import SchemaRegistryError

    client = _client()
    try:
        found = client.get_version(subject, version) if version else client.get_latest_version(subject)  # type: ignore[attr-defined]
    except SchemaRegistryError as error:
        raise UserError(f"{subject}: {error.error_message}; `uns schema list` shows what there is") from error
    typer.echo(json.dumps(json.loads(found.schema.schema_str), indent=2, ensure_ascii=False))


@schema.command()
def check(as_json: JsonOption = False) -> None:
    """Check that each record's schema can read everything its published versions wrote. Exit code 1 when one cannot."""
    from schemas.history import broken

    found = broken()
    if as_json:
        emit([{"record": record, "problem": problem} for record, problem in found])
    else:
        for record, problem in found:
            typer.echo(f"{record}: {problem}")
        if not found:
            typer.echo("every schema reads what its published versions wrote")
    if found:
        raise typer.Exit(1)
