"""How the outcome of a replay looks: a table for people, JSON documents for machines."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table

from schemas.records import Derived
from schemas.text import iso, to_plain
from uns.history.replay.diff import ReplayVerdict, Skip, VerdictKind, fact
from uns.history.replay.recompute import Recomputed

ADVICE = {
    Skip.OWNED: (
        "still the running processors', which know only their own revisions: tell the raw log what it lacks and they "
        "correct it, or come back when it is older than the correction horizon (time.horizon_h)"
    ),
    Skip.OPEN: "not over yet: come back when it is",
    Skip.NOT_REPRODUCIBLE: "not reproducible: retention has removed what it rests on",
    Skip.POINT: "a quality point cannot be taken back",
    Skip.OTHER_DEFINITION: "only another definition has it, and that one's history stays",
}


def documents(made: Recomputed) -> Iterator[dict[str, Any]]:
    """One document a difference."""
    for verdict, outcome in made.differences:
        record = verdict.record
        document: dict[str, Any] = {
            "kind": str(verdict.kind),
            "fact": fact(record),
            "class": record.message_class,
            "path": record.path,
            "started_at": iso(record.started_at),
            "published": to_plain(verdict.published) if verdict.published is not None else None,
            "replayed": to_plain(verdict.replayed) if verdict.replayed is not None else None,
            "fields": {name: [_text(name, value) for value in pair] for name, pair in verdict.fields().items()},
        }
        if verdict.why:
            document["why"] = verdict.why
        if isinstance(outcome, Derived):
            document["correction"] = outcome.id
        else:
            document["skipped"] = str(outcome)
        yield document


def summary(made: Recomputed, published: int | None) -> dict[str, Any]:
    """The last document. `published`: how many corrections went out; None: a dry run."""
    return {
        "kind": "summary",
        "equal": made.equal,
        "raw_records": made.records,
        "classes": {name: {kind: counts[kind] for kind in VerdictKind} for name, counts in sorted(made.counts.items())},
        "corrections": len(made.corrections),
        "skipped": {str(reason): count for reason, count in sorted(made.skipped.items())},
        "published": published,
        "notes": made.notes,
    }


def show(made: Recomputed, console: Console, most: int) -> None:
    """Differences (at most so many), then what each class came to. What is not reproducible is counted only."""
    differences = [pair for pair in made.differences if pair[0].kind is not VerdictKind.NOT_REPRODUCIBLE]
    for path, rows in groupby(differences[:most], key=lambda pair: pair[0].record.path):
        table = Table("record", "begins", "what", "field", "published", "replayed", box=None, pad_edge=False)
        for verdict, outcome in rows:
            table.add_row(*_row(verdict, outcome))
        console.print(path, style="bold")
        console.print(table)
        console.print()
    if differences and len(differences) > most:
        console.print(f"… and {len(differences) - most} more; --json shows all", highlight=False)
    kinds = [kind for kind in VerdictKind if any(counts[kind] for counts in made.counts.values())]
    table = Table("class", *(str(kind).replace("_", " ") for kind in kinds), box=None, pad_edge=False)
    for name, counts in sorted(made.counts.items()):
        table.add_row(name, *(str(counts[kind]) for kind in kinds))
    if made.counts:
        console.print(table)
    for note in made.notes:
        console.print(f"! {note}", markup=False, highlight=False, soft_wrap=True)
    for reason, count in sorted(made.skipped.items()):
        console.print(f"! {count} not for publishing: {ADVICE[reason]}", markup=False, highlight=False, soft_wrap=True)


def _row(verdict: ReplayVerdict, outcome: Derived | Skip) -> tuple[str, ...]:
    record = verdict.record
    kind = fact(record).rpartition("@")[0].partition("#")[2]
    what = str(verdict.kind) + (f" ({outcome})" if isinstance(outcome, Skip) else "")
    fields = verdict.fields() if verdict.kind is VerdictKind.CHANGED else {}
    names = "\n".join(fields)
    old, new = ("\n".join(_short(name, pair[n]) for name, pair in fields.items()) for n in (0, 1))
    return kind, _short("_at", record.started_at), what.replace("_", " "), names, old, new


def _short(name: str, value: Any) -> str:
    if name.endswith("_at") and isinstance(value, int):
        return iso(value)[:19] + "Z"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return " ".join(f"{key}:{micros / 60e6:.1f}min" for key, micros in value.items() if micros)
    return "–" if value is None else str(value)


def _text(name: str, value: Any) -> Any:
    return iso(value) if name.endswith("_at") and isinstance(value, int) else value
