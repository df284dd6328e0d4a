"""`summary.json` and the closing box: what ran, what arrived, and whether it is true."""

import os
import shutil
import sys
from typing import Any

import psycopg
from rich.box import ROUNDED
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from schemas.records import Condition, Downtime, Oee
from sinks.historian.config import HistorianConfig
from topology.namespace.filters import Filter
from uns.client.connection import codec
from uns.client.subscribe import Subscription
from uns.demo import mes
from uns.demo.compare import compare
from uns.demo.evidence import CLASSES, Evidence, delivery, historian
from uns.demo.findings import sentence
from uns.demo.plant.truth import Truth
from uns.demo.run import Demo
from uns.runners.connector.ledger import Ledger, read_ledgers

WANTED = ("state", "production", "downtime", "oee", "quality", "alert")
OEE_TOLERANCE = 0.005


def collect(demo: Demo) -> dict[str, Any]:
    """Reads everything back, from Kafka and from each target, and compares it with the plant's truth."""
    namespace = Evidence()
    with Subscription(
        demo.settings, codec(demo.settings), [Filter.parse("#")], CLASSES, "beginning", follow=False
    ) as messages:
        namespace.take(messages)
    truth = Truth.read(demo.truth)
    summary: dict[str, Any] = {
        "ready_s": round(demo.progress.ready_s, 2),
        "first_derived_s": _rounded(demo.progress.first_derived_s),
        "rate": demo.options.rate,
        "seed": demo.options.seed,
        "chaos": {"killed": demo.progress.killed, "ended_by_itself": demo.ended_by_itself()},
        "unsettled": demo.progress.unsettled,
        "ledger": ledger(read_ledgers(demo.folder)),
        "derived": {name: namespace.count[name] for name in sorted({*WANTED, *namespace.count})},
        "derived_repeated": namespace.repeated,
        "quarantined": sum(namespace.quarantined.values()),
        "historian": _historian(demo, namespace),
        "mes": delivery(_expected_confirmations(namespace), mes.received(demo.mes_db, "confirmations")),
        "cmms": delivery(_expected_work_orders(namespace), mes.received(demo.mes_db, "work_orders")),
        "mqtt_persistent": demo.progress.mqtt_persistent,
        "truth": compare(namespace, truth),
        "publish_interval_s": demo.publish_interval_s,
    }
    summary["problems"] = problems(summary)
    summary["ok"] = not summary["problems"]
    return summary


def ledger(ledgers: dict[str, Ledger]) -> dict[str, Any]:
    """The sum over the connectors; `lost` is what no column accounts for, or what was dropped or never left the spool."""
    total = {
        "read": sum(books.read for books in ledgers.values()),
        "published": sum(books.published for books in ledgers.values()),
        "suppressed": sum(sum(books.suppressed.values()) for books in ledgers.values()),
        "quarantined": sum(sum(books.quarantined.values()) for books in ledgers.values()),
    }
    lost = total["read"] - total["published"] - total["suppressed"] - total["quarantined"]
    return {
        **total,
        "lost": lost,
        "connectors": {name: {"read": books.read, "published": books.published} for name, books in ledgers.items()},
    }


def _historian(demo: Demo, namespace: Evidence) -> dict[str, int]:
    model = demo.plant.sinks["historian"]
    config = HistorianConfig.model_validate(model.config)
    with psycopg.connect(config.dsn.get_secret_value()) as connection:
        schema = psycopg.sql.Identifier(config.schema_name)

        def rows_of(name: str) -> dict[str, int]:
            query = psycopg.sql.SQL("SELECT id, count(*) FROM {}.{} GROUP BY id").format(
                schema, psycopg.sql.Identifier(name)
            )
            return {str(id_): int(number) for id_, number in connection.execute(query)}

        samples = psycopg.sql.SQL(
            "SELECT path, tag, (extract(epoch FROM at) * 1000000)::bigint FROM {}.samples"
        ).format(schema)
        return historian(
            namespace, model.subscribe.classes, rows_of, ((p, t, int(at)) for p, t, at in connection.execute(samples))
        )


def _expected_confirmations(namespace: Evidence) -> set[str]:
    return {
        record.natural_id
        for record in namespace.derived.values()
        if isinstance(record, Oee) and record.window == "order" and record.status in ("final", "corrected")
    }


def _expected_work_orders(namespace: Evidence) -> set[str]:
    return {
        record.natural_id
        for record in namespace.derived.values()
        if (isinstance(record, Downtime) and record.category == "breakdown" and record.new_category)
        or (
            isinstance(record, Condition) and (record.kind, record.severity, record.state) == ("wear", "high", "raised")
        )
    }


def problems(summary: dict[str, Any]) -> list[str]:
    """What is not as it must be, in words; empty when all is well."""
    truth, said = summary["truth"], list(summary["unsettled"])
    if summary["ledger"]["lost"]:
        said.append(f"{summary['ledger']['lost']} readings are unaccounted for")
    said += [f"no {name} record" for name in WANTED if not summary["derived"].get(name)]
    if summary["derived_repeated"]:
        said.append(f"{summary['derived_repeated']} derived records were committed twice")
    for target in ("historian", "mes", "cmms"):
        said += [
            f"{target}: {summary[target][what]} {what}" for what in ("missing", "duplicate") if summary[target][what]
        ]
    said += [f"{name} is {truth[name]}" for name in ("good_count_error", "scrap_count_error") if truth[name]]
    gaps = bool(summary["chaos"]["killed"]) and not summary["mqtt_persistent"]  # then some time is unknown, and must be
    if not gaps and truth["state_time_error_s_max"] > summary["publish_interval_s"] * summary["rate"]:
        said.append(f"time in state differs by up to {truth['state_time_error_s_max']:.1f} s")
    if not gaps and truth["oee_error_max"] is not None and truth["oee_error_max"] > OEE_TOLERANCE:
        said.append(f"OEE differs by up to {truth['oee_error_max']:.4f}")
    if truth["breakdowns_found"] != truth["breakdowns_true"]:
        said.append(f"{truth['breakdowns_found']} of {truth['breakdowns_true']} breakdowns found")
    if not gaps:
        said += [sentence(told) for told in truth["faults"] if told["missed"]]
    said += [
        f"{name} is false" for name in ("drift_flagged", "drift_alerted", "silent_machine_unknown") if not truth[name]
    ]
    return said


def opening_box(demo: Demo) -> None:
    """Addresses and next commands, while they are good for something."""
    uns = (
        "uns" if shutil.which("uns") else min(os.path.relpath(sys.argv[0]), sys.argv[0], key=len)
    )  # as it can be typed
    rows = [
        ("page", demo.page_url),
        ("kafka", str(demo.settings.bootstrap)),
        ("registry", str(demo.settings.registry)),
        ("next", f"{uns} tail 'acme/dallas/#' --class downtime --from beginning"),
        ("", f"{uns} tree"),
        ("", f"{uns} get acme/dallas/packaging/line-1/filler"),
    ]
    _print_box(rows, "uns demo", "blue")


def closing_box(summary: dict[str, Any]) -> None:
    """The ledger and the truth; no address: nothing answers there any more."""
    if summary["ok"]:
        _print_box(_result_rows(summary), "uns demo: all of it is true", "green")
    else:
        _print_box(_result_rows(summary), "uns demo: something is not right", "red")


def _print_box(rows: list[tuple[str, str]], title: str, color: str) -> None:
    table = Table.grid(padding=(0, 2))
    for name, text in rows:
        table.add_row(f"[bold]{name}[/bold]", text)
    subtitle = "a demo, not for production"
    Console(highlight=False).print(
        Panel(table, title=title, box=ROUNDED, border_style=color, expand=False, subtitle=subtitle)
    )


def _result_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    books, truth = summary["ledger"], summary["truth"]
    rows = [
        (
            "ledger",
            f"read {books['read']} = published {books['published']} + suppressed {books['suppressed']} + quarantined {books['quarantined']}, lost {books['lost']}",
        ),
        ("derived", ", ".join(f"{name} {count}" for name, count in summary["derived"].items())),
    ]
    for name in ("historian", "mes", "cmms"):
        part = summary[name]
        rows.append(
            (
                name,
                f"expected {part['expected']}, there {part.get('rows', part.get('received'))}, missing {part['missing']}, duplicate {part['duplicate']}",
            )
        )
    oee = (
        "no window closed yet"
        if truth["oee_error_max"] is None
        else f"{truth['oee_error_max']:.6f} over {truth['oee_windows']} windows"
    )
    rows += [
        (
            "truth",
            f"pieces off by {truth['good_count_error']} good, {truth['scrap_count_error']} scrap; time in state by {truth['state_time_error_s_max']:.3f} s; OEE by {oee}",
        ),
        (
            "",
            f"breakdowns {truth['breakdowns_found']} of {truth['breakdowns_true']}; drift flagged: {truth['drift_flagged']}, alerted: {truth['drift_alerted']}; silent machine unknown: {truth['silent_machine_unknown']}",
        ),
    ]
    rows += [("faults" if n == 0 else "", sentence(told)) for n, told in enumerate(truth["faults"])]
    false = truth["false_alarms"]
    rows.append(
        ("false", f"{len(false)} alerts and conditions without a cause" + "".join(f"; {one}" for one in false[:3]))
    )
    return rows + [("problem", text) for text in summary["problems"]]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
