"""`uns dlq …`: quarantined records of connectors, folds and sinks: seen, given again, dropped, exported."""

import csv
import json
import sys
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import app, emit, group
from uns.cli.options import TIMES, JsonOption, PlantOption, YesOption, which_plant
from uns.errors import UserError

if TYPE_CHECKING:
    from topology.model.plant import Plant
    from uns.dlq.deciding import Outcome
    from uns.dlq.decision import Decision
    from uns.dlq.item import Item, Selection
    from uns.dlq.shelf import Fates, State
    from uns.model.zones import SiteZones
    from uns.runtime.settings import Settings

dlq = group(
    "Quarantined records of connectors, folds and sinks: list, show, retry, drop, export.",
    dict.fromkeys(("list", "show", "retry", "drop", "export"), "dlq"),
)
app.add_typer(dlq, name="dlq")

IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="ids, as `uns dlq list` shows them")]
ReasonOption = Annotated[list[str] | None, typer.Option("--reason", help="only of this reason; again for more")]
PathOption = Annotated[str | None, typer.Option("--path", help="only of paths of this MQTT filter")]
SourceNameOption = Annotated[
    list[str] | None,
    typer.Option("--source", help="only what this connector, sink, or uns-processors has put there; again for more"),
]
FromOption = Annotated[str, typer.Option("--from", help=f"only what was put there from then on: beginning, {TIMES}")]
ToOption = Annotated[str | None, typer.Option("--to", help=f"only what was put there before: {TIMES}")]
AllOption = Annotated[bool, typer.Option("--all", help="everything that is open, where nothing else selects")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="only say what would be done")]
ByOption = Annotated[str | None, typer.Option("--by", help="who decides; your login by default")]
STATES = ("open", "retried", "resolved", "returned", "dropped", "any")
COLUMNS = ("id", "state", "at", "kind", "source", "reason", "path", "topic", "partition", "offset", "tag", "message")
COLUMNS_DECIDED = ("by", "why", "decided_at", "encoding", "payload", "headers")
WORDS_MAX = 100


@dlq.command("list")
def list_(
    reason: ReasonOption = None,
    path: PathOption = None,
    source: SourceNameOption = None,
    begin: FromOption = "beginning",
    until: ToOption = None,
    state: Annotated[str, typer.Option("--state", help=f"one of {', '.join(STATES)}")] = "open",
    most: Annotated[int, typer.Option("--most", min=0, help="so many of the newest are shown; all are counted")] = 100,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in quarantine, by default what is open, and count it by reason.

    For example: uns dlq list --path 'acme/+/packaging/#' --from 8h
    """
    from uns.cli.times import shown

    desk = Desk(plant)
    wanted = desk.selection((), reason, path, source, begin, until)
    rows: deque[tuple[Item, State]] = deque(maxlen=most)
    counts: Counter[tuple[str, str]] = Counter()
    for item, found in desk.told(wanted, state):
        counts[item.why.connector or "", item.why.reason or "unknown"] += 1
        rows.append((item, found))
    if as_json:
        documents = [desk.document(item, found) for item, found in rows]
        by = [{"source": name, "reason": why, "count": count} for (name, why), count in sorted(counts.items())]
        emit({"count": counts.total(), "by_reason": by, "items": documents})
        return
    for item, found in rows:
        why = item.why
        told = (why.words or "")[:WORDS_MAX]
        mark = "" if state == str(found) else f"  {found}"
        at = shown(item.at, desk.zones.at(item.path))
        typer.echo(f"{item.id:<34} {at}{mark}  {item.path}  {why.reason} by {why.connector}: {told}")
    if rows:
        typer.echo("")
    for (name, reason_), count in counts.most_common():
        typer.echo(f"{count:>8}  {reason_} by {name}")
    what = "records in quarantine" if state == "any" else f"{state} records"
    typer.echo(
        f"{counts.total():>8}  {what}" + (f", the newest {len(rows)} shown" if len(rows) < counts.total() else "")
    )


@dlq.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID")], plant: PlantOption = None, as_json: JsonOption = False
) -> None:
    """Show one quarantined record: why it is there, all of it, and what was decided."""
    from uns.cli.failures import failures_told
    from uns.cli.times import shown
    from uns.dlq.item import BadId, place_of

    desk = Desk(plant)
    with failures_told(BadId):
        item = desk.shelf.item(id_, place_of(id_))
    (found,) = [state for each, state in desk.told(desk.selection([id_]), "any") if each.id == item.id]
    document = desk.document(item, found) | {"record": desk.decoded(item)}
    if as_json:
        emit(document)
        return
    for name, value in document.items():
        if name in ("at", "decided_at") and value is not None:
            value = shown(item.at if name == "at" else desk.decisions[item.id].at, desk.zones.at(item.path))
        if value not in (None, "", {}):
            typer.echo(f"{name:<12} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


@dlq.command()
def retry(
    ids: IdsArgument = None,
    reason: ReasonOption = None,
    path: PathOption = None,
    source: SourceNameOption = None,
    begin: FromOption = "beginning",
    until: ToOption = None,
    everything: AllOption = False,
    why: Annotated[str, typer.Option("--why", help="what was mended")] = "",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give open records again: to the fold that refused them, or to that one sink. Exit code 1 where one cannot be.

    A record keeps its id. What is given again is written once, however often it is asked for; what is refused anew is in
    quarantine anew, under an id of its own.
    """
    desk = Desk(plant)
    wanted = desk.selection(ids or (), reason, path, source, begin, until, everything)
    _decide(desk, wanted, by, dry_run, yes or as_json, as_json, "give {} again", lambda d: d.retry(wanted, why))


@dlq.command()
def drop(
    why: Annotated[str, typer.Option("--why", help="why they are not wanted; it is written down")],
    ids: IdsArgument = None,
    reason: ReasonOption = None,
    path: PathOption = None,
    source: SourceNameOption = None,
    begin: FromOption = "beginning",
    until: ToOption = None,
    everything: AllOption = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write down that open records are not wanted, who says so and why. They stay in quarantine for as long as it keeps them."""
    if not why.strip():
        raise UserError("--why is empty: what is dropped needs a reason")
    desk = Desk(plant)
    wanted = desk.selection(ids or (), reason, path, source, begin, until, everything)
    _decide(desk, wanted, by, dry_run, yes or as_json, as_json, "drop {}", lambda d: d.drop(wanted, why))


@dlq.command()
def export(
    ids: IdsArgument = None,
    reason: ReasonOption = None,
    path: PathOption = None,
    source: SourceNameOption = None,
    begin: FromOption = "beginning",
    until: ToOption = None,
    state: Annotated[str, typer.Option("--state", help=f"one of {', '.join(STATES)}")] = "open",
    form: Annotated[str, typer.Option("--format", help="jsonl or csv")] = "jsonl",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="file to write; standard output by default")] = None,
    plant: PlantOption = None,
) -> None:
    """Write quarantined records as JSON lines or CSV, with their payload as text, or in hexadecimal, and their headers."""
    from uns.cli.words import choice

    choice("--format", form, {"jsonl": 1, "csv": 2})
    desk = Desk(plant)
    told = desk.told(desk.selection(ids or (), reason, path, source, begin, until), state)
    count = 0
    with _opened(out) as stream:
        table = csv.DictWriter(stream, (*COLUMNS, *COLUMNS_DECIDED), lineterminator="\n")
        if form == "csv":
            table.writeheader()
        for item, found in told:
            document = desk.document(item, found)
            if form == "csv":
                table.writerow(document | {"headers": json.dumps(document["headers"], ensure_ascii=False)})
            else:
                stream.write(json.dumps(document, ensure_ascii=False) + "\n")
            count += 1
    if out is not None:
        typer.echo(f"wrote {count} records to {out}")


class Desk:
    """What every one of these commands has at hand."""

    def __init__(self, plant: Path | None) -> None:
        from uns.cli.failures import failures_told
        from uns.cli.times import zones_of
        from uns.client.connection import connection
        from uns.dlq.shelf import Shelf
        from uns.model.plant import load_plant

        folder = which_plant(plant)
        self.settings: Settings = connection()
        self.plant: Plant = load_plant(folder)
        self.zones: SiteZones = zones_of(folder)
        with failures_told():
            self.shelf: Shelf = Shelf(self.settings, self.plant)
            self.decisions: dict[str, Decision] = self.shelf.decisions()

    def selection(
        self,
        ids: "list[str] | tuple[str, ...]",
        reason: list[str] | None = None,
        path: str | None = None,
        source: list[str] | None = None,
        begin: str = "beginning",
        until: str | None = None,
        everything: bool = True,
    ) -> "Selection":
        from uns.cli.failures import failures_told
        from uns.cli.times import Reader
        from uns.cli.words import filter_of
        from uns.dlq.item import BadId, Selection, place_of
        from uns.runtime import clock

        with failures_told(BadId):
            for id_ in ids:
                place_of(id_)
        paths = None if path is None else filter_of(path)
        start, end = Reader(clock.system(), self.zones, [paths] if paths else []).between(begin, until)
        if not (everything or ids or reason or paths or source or until or begin != "beginning"):
            raise UserError(
                "say which: ids, or --reason, --path, --source, --from, --to; --all for everything that is open"
            )
        return Selection(reason or (), paths, source or (), (), start, end, frozenset(ids))

    def told(self, wanted: "Selection", state: str) -> "Iterator[tuple[Item, State]]":
        """Those in a state, and the state that each is in."""
        from uns.cli.failures import failures_told
        from uns.cli.words import choice

        choice("--state", state, dict.fromkeys(STATES))
        with failures_told():
            fates = self._fates()
            if state not in ("open", "dropped"):  # what came back may be outside of the selection
                for item in self.shelf.items():
                    fates.note(item)
            for item in self.shelf.items(wanted):
                found = fates.state(item)
                if state in (str(found), "any"):
                    yield item, found

    def _fates(self) -> "Fates":
        from uns.dlq.shelf import Fates
        from uns.engine.config import EngineConfig
        from uns.runners.sink.service import group as group_of

        processors = EngineConfig().group or f"uns-processors-{self.plant.enterprise}"
        sinks = {name: group_of(self.plant, name) for name in self.plant.sinks}
        return Fates(self.settings, self.decisions, processors, sinks)

    def document(self, item: "Item", state: "State") -> dict[str, Any]:
        """One item for programs; times in UTC."""
        from schemas.text import calendar
        from uns.dlq.item import readable

        why, decision = item.why, self.decisions.get(item.id)
        encoding, payload = readable(item.record.value)
        return {
            "id": item.id,
            "state": str(state),
            "at": calendar(item.at),
            "kind": str(item.kind),
            "source": why.connector,
            "reason": why.reason,
            "path": str(item.path),
            "topic": why.topic,
            "partition": why.partition,
            "offset": why.offset,
            "tag": why.tag,
            "message": why.words,
            "by": None if decision is None else decision.by,
            "why": None if decision is None else decision.why,
            "decided_at": None if decision is None else calendar(decision.at),
            "encoding": encoding,
            "payload": payload,
            "headers": {name: value.decode(errors="backslashreplace") for name, value in item.record.headers},
        }

    def decoded(self, item: "Item") -> Any:
        """The record in it; None where its bytes are none."""
        from schemas.codec import Undecodable
        from schemas.text import to_plain
        from uns.client.connection import codec

        try:
            return to_plain(codec(self.settings).decode(item.record.value))
        except (Undecodable, UserError):
            return None


def _decide(
    desk: Desk, wanted: "Selection", by: str | None, dry_run: bool, sure: bool, as_json: bool, what: str, act: Any
) -> None:
    import getpass

    from uns.cli.failures import failures_told
    from uns.client.connection import codec
    from uns.dlq.deciding import Decider

    known, who = codec(desk.settings), by or getpass.getuser()
    with failures_told():
        if not sure and not dry_run:
            with Decider(desk.settings, desk.plant, known, who, dry_run=True) as rehearsal:
                planned: Outcome = act(rehearsal)
            _say(planned, True)
            if not planned.decided or not typer.confirm(f"{what.format(f'{planned.decided.total()} records')}?"):
                raise typer.Exit(1)
        with Decider(desk.settings, desk.plant, known, who, dry_run) as decider:
            outcome: Outcome = act(decider)
    if as_json:
        emit(
            {
                "decided": outcome.decided.total(),
                "by_reason": dict(outcome.decided),
                "given": outcome.given,
                "decided_before": outcome.settled,
                "left": outcome.left,
                "why_left": [{"id": id_, "why": why} for id_, why in outcome.why_left],
                "dry_run": dry_run,
            }
        )
    else:
        _say(outcome, dry_run)
    if outcome.left:
        raise typer.Exit(1)


def _say(outcome: "Outcome", dry_run: bool) -> None:
    for reason, count in outcome.decided.most_common():
        typer.echo(f"{count:>8}  {reason}")
    would = "would be decided" if dry_run else "decided"
    typer.echo(
        f"{outcome.decided.total():>8}  {would}"
        + (f", {outcome.given} records given again" if outcome.given else "")
        + (f"; {outcome.settled} were decided before" if outcome.settled else "")
    )
    for id_, why in outcome.why_left:
        typer.echo(f"  ! {id_} stays open: {why}")
    if outcome.left > len(outcome.why_left):
        typer.echo(f"  ! and {outcome.left - len(outcome.why_left)} more stay open")


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    try:
        with out.open("w", encoding="utf-8", newline="") as stream:
            yield stream
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error
