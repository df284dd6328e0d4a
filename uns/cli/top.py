"""`uns top`: what the processors do, live."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import UserError, app, emit

if TYPE_CHECKING:
    from rich.console import RenderableType

    from uns.watch.top import Look, WorkerRow

GROUPS = "uns-processors-"


@app.command()
def top(
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metrics", help="address of one worker, or of the parent of several; again for more"),
    ] = None,
    every_s: Annotated[float, typer.Option("--every", min=0.2, help="seconds between two looks")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="look once and end, as where the output is no terminal")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document a look")] = False,
) -> None:
    """Show the processors' lag, rates, transaction times, busy stages, ages and quarantine.

    Addresses: --metrics, else UNS_METRICS, else what runs on this machine, else lag alone, from Kafka.
    """
    import sys
    import time
    from contextlib import nullcontext

    from rich.console import Console
    from rich.live import Live

    from uns.watch.top import rows

    addresses = metrics or _known()
    if not addresses:
        _lag_alone(as_json)
        return
    single, console = once or not (as_json or sys.stdout.isatty()), Console()
    live = None if single or as_json else Live(console=console, auto_refresh=False)
    with live or nullcontext():
        before, _ = _look(addresses)
        while True:
            time.sleep(every_s)
            now, away = _look(addresses)
            shown = [
                row
                for address, look in now.items()
                for row in rows(before.get(address, look._replace(values={})), look, time.time())
            ]
            if as_json:
                emit({"workers": [_plain(row) for row in shown], "away": away})
            elif live is not None:
                live.update(_table(shown, away), refresh=True)
            else:
                console.print(_table(shown, away))
            if single:
                raise typer.Exit(1 if away else 0)
            before |= now


def _known() -> list[str]:
    """Where the workers' metrics are; none where nobody says."""
    from uns.runtime.running import effective_settings

    return [address.strip() for address in (effective_settings().metrics or "").split(",") if address.strip()]


def _look(addresses: list[str]) -> tuple[dict[str, "Look"], dict[str, str]]:
    """Address → look, and address → why there is none."""
    import time

    from uns.watch.scrape import Unreachable, families
    from uns.watch.top import Look

    looks: dict[str, Look] = {}
    away: dict[str, str] = {}
    for address in addresses:
        try:
            looks[address] = look = Look.of(families(address), time.monotonic())
            away |= {f"{address} {worker}": f"{worker}, says {address}" for worker in look.away()}
        except Unreachable as error:
            away[address] = str(error)
    return looks, away


def _plain(row: "WorkerRow") -> dict[str, Any]:
    return row._asdict() | {"partitions": [partition._asdict() for partition in row.partitions]}


def _table(rows: list["WorkerRow"], away: dict[str, str]) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    def table(what: str, *columns: str) -> Table:
        """Fits 80 columns. A name that is too long goes on in the next line: cut off, two partitions look the same."""
        made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        made.add_column(what, overflow="fold")
        for column in columns:
            made.add_column(column, justify="right", no_wrap=True)
        return made

    workers = table(
        "worker",
        *("records\n/s", "samples\n/s", "outputs\n/s", "batch", "tx\n/s", "p50\nms", "p99\nms", "busy"),
        "in\nflight",
    )
    for row in rows:
        workers.add_row(
            row.worker or f"generation {row.generation}",
            f"{row.records_s:,.0f}",
            f"{row.samples_s:,.0f}",
            f"{row.outputs_s:,.0f}",
            _number(row.batch_records, ",.0f"),
            f"{row.transactions_s:.1f}",
            _number(row.transaction_ms_p50, ".0f"),
            _number(row.transaction_ms_p99, ".0f"),
            f"{sum(share for stage, share in row.busy.items() if stage != 'commit'):.0%}",  # that is mostly waiting
            f"{row.in_flight_mb:.0f}/{row.in_flight_limit_mb:.0f} MB",
        )
    partitions = table("partition", "lag", "delay\ns", "fence", "age\ns", "water-\nmark s", "state\nkeys", "state\nMB")
    for row in rows:
        for partition in row.partitions:
            partitions.add_row(
                f"{partition.topic.rpartition('.')[0]}[{partition.partition}]",  # all are raw
                f"{partition.lag:,}",
                _number(partition.delay_s, ".2f"),
                str(partition.fence),
                _number(partition.fence_age_s, ".1f"),
                _number(partition.watermark_age_s, ",.0f"),
                f"{partition.state_keys:,}",
                f"{partition.state_bytes / 1e6:.1f}",
            )
    lines = [Text(f"away: {why}", style="red") for why in away.values()]
    for row in rows:
        stages = "  ".join(f"{stage} {share:.0%}" for stage, share in row.busy.items())
        reasons = "  ".join(f"{reason} {count:,}" for reason, count in row.quarantined.items()) or "nothing"
        lines.append(Text(f"{row.worker} {stages}  restored in {row.restored_s:.2f} s".strip(), style="dim"))
        lines.append(Text(f"{row.worker} quarantined: {reasons}".strip(), style="yellow" if row.quarantined else "dim"))
    return Group(workers, Text(), partitions, Text(), *lines)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _lag_alone(as_json: bool) -> None:
    """Without metrics: how far each group of processors is behind, by Kafka's own account."""
    from confluent_kafka import KafkaException

    from uns.client.connection import connection
    from uns.kafka import clients
    from uns.kafka.lag import by_partition

    settings = connection()
    try:
        admin = clients.admin(settings)
        groups = [
            listing.group_id
            for listing in admin.list_consumer_groups(request_timeout=10).result().valid
            if listing.group_id.startswith(GROUPS)
        ]
        lags = {group: by_partition(settings, group) for group in groups}
    except KafkaException as error:
        raise UserError(f"Kafka at {settings.bootstrap} does not answer: {error.args[0].str()}") from error
    rows = [
        {"group": group, "topic": topic, "partition": partition, "lag": lag}
        for group, partitions in lags.items()
        for (topic, partition), lag in sorted(partitions.items())
    ]
    if as_json:
        emit({"lag": rows})
        return
    for row in rows:
        typer.echo(f"{row['lag']:>10,}  {row['topic']}[{row['partition']}]  {row['group']}")
    typer.echo(
        "lag alone, from Kafka; for more give the workers' addresses: --metrics http://host:port, or UNS_METRICS",
        err=True,
    )
