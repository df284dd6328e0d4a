"""`uns sink profiles`: known systems of record that a sink can be configured for by name."""

from typing import Annotated

import typer

from uns.cli.options import JsonOption
from uns.cli.sink import sink


@sink.command("profiles")
def profiles(
    name: Annotated[str | None, typer.Argument(help="one of them: what it rests on, and what to write")] = None,
    as_json: JsonOption = False,
) -> None:
    """Known systems (MES, ERP, CMMS, QMS, chats) that a sink is configured for by name."""
    from dataclasses import asdict

    from uns.cli.app import emit
    from uns.cli.words import member
    from uns.model.components import profiles as known
    from uns.reference.profiles import leaflet

    found = {profile.name: (kind, profile) for kind, profile in known()}
    if name is not None:
        member("profile", name, found, "what is installed")
        kind, profile = found[name]
        if as_json:
            emit({"sink": kind, **asdict(profile)})
        else:
            typer.echo(leaflet(kind, profile))
        return
    if as_json:
        emit([{"sink": kind, **asdict(profile)} for kind, profile in found.values()])
        return
    for kind, profile in found.values():
        tried = "tried" if any(words.startswith("tried") for words in profile.checked) else "read"
        typer.echo(f"{profile.name:<22} {kind:<6} {profile.kind:<13} {tried:<6} {profile.system}")
    typer.echo("`uns sink profiles NAME` shows what one rests on, and what to write")
