"""`uns certs opcua`: a certificate by which OPC UA servers know us, and the lines of configuration that use it."""

import re
from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit, group
from uns.cli.options import JsonOption

certs = group("Certificates for connectors.", {"opcua": "certs"})
app.add_typer(certs, name="certs")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@certs.command()
def opcua(
    folder: Annotated[Path, typer.Argument(help="where the files go")] = Path("."),
    name: Annotated[str, typer.Option(help="what the certificate is for: the connector's name")] = "uns",
    host: Annotated[list[str] | None, typer.Option(help="name or address of this host; default: its own name")] = None,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="how long it is valid")] = 1825,
    as_json: JsonOption = False,
) -> None:
    """Make a self-signed certificate and its key. The server must be told to trust it."""
    import os
    import socket
    from datetime import UTC, datetime

    from uns.runtime.certificates import opcua_client

    if not _NAME.fullmatch(name):
        raise UserError(f"--name {name!r}: letters, digits, '.', '_' and '-' are possible, 64 at most")
    made = opcua_client(name, tuple(host or [socket.gethostname()]), days, datetime.now(UTC))
    files = {folder / f"{name}.der": made.der, folder / f"{name}.pem": made.pem, folder / f"{name}.key": made.key_pem}
    if taken := [str(file) for file in files if file.exists()]:
        raise UserError(
            f"{', '.join(taken)}: there already; a key that servers trust is never overwritten, choose another --name"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            mode = 0o600 if file.suffix == ".key" else 0o644
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
                opened.write(content)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; choose another folder") from error
    certificate, key = folder / f"{name}.der", folder / f"{name}.key"
    if as_json:
        emit(
            {
                "certificate": str(certificate),
                "private_key": str(key),
                "application_uri": made.application_uri,
                "ends": made.ends.isoformat(),
            }
        )
        return
    typer.echo(f"wrote {certificate} (and {name}.pem), valid until {made.ends:%Y-%m-%d}; keep {key} to yourself")
    typer.echo(f"application URI {made.application_uri}")
    typer.echo(
        f"\nin the connector:\n  security_policy: Basic256Sha256\n  certificate: {certificate}\n  private_key: {key}"
    )
    typer.echo(
        f"\nthen have the server trust {certificate}: most keep it among their rejected ones after the first try"
    )
