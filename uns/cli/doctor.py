"""`uns doctor`: is everything there that the backbone needs?"""

from typing import Annotated

import typer

from uns.cli.app import FAILED, app, emit
from uns.cli.options import JsonOption


@app.command()
def doctor(
    as_json: JsonOption = False,
    write: Annotated[
        bool, typer.Option("--write", help="also make, write and remove a topic, to try Kafka and compare clocks")
    ] = False,
) -> None:
    """Check Java, disk, ports, Kafka, registry, PostgreSQL, MQTT, clocks and the plant model; exit 1 if any fails."""
    from uns.local.doctor import Verdict, examine
    from uns.runtime.running import effective_settings, environment

    findings = examine(effective_settings(), environment(), write)
    failed = any(finding.verdict is Verdict.FAIL for finding in findings)
    if as_json:
        emit({"ok": not failed, "findings": [finding._asdict() for finding in findings]})
    else:
        marks = {Verdict.OK: ("✓", "green"), Verdict.WARN: ("!", "yellow"), Verdict.FAIL: ("✗", "red")}
        for finding in findings:
            mark, colour = marks[finding.verdict]
            typer.echo(f"{typer.style(mark, fg=colour)} {finding.check:<18} {finding.detail}")
            if finding.fix:
                typer.echo(f"  {'':<18} → {finding.fix}")
    raise typer.Exit(FAILED if failed else 0)
