"""When operators are not told of an alarm of a cell: what people said (Shelve, OutOfService), and what the model says."""

from processors.alarms.life import OUT_OF_SERVICE, SHELVED, SUPPRESSED, Hidden
from processors.cell.cell import Cell
from processors.units import INF
from schemas.records import OutOfService, Shelve
from topology.model.alarms import Alarm

Told = Shelve | OutOfService


def told(cell: Cell) -> list[Told]:
    """All that people said of the line and the cell."""
    line, own = cell.line.facts, cell.facts
    if not line and not own:
        return []
    facts: list[Told] = []
    for of in (line, own):
        facts += [fact for fact, _ in of.of(Shelve)]
        facts += [fact for fact, _ in of.of(OutOfService)]
    return facts


def means(fact: Told, name: str, group: str | None) -> bool:
    """Whether a fact is about an alarm: by its name, that of its rule, kind or group, or all."""
    return fact.alarm in ("*", name, group) or name.startswith(f"{fact.alarm}.")


def hidden(
    cell: Cell, name: str, alarm: Alarm | None, group: str | None, since: int, now: int, facts: list[Told]
) -> list[Hidden]:
    """The stretches of time from `since` on in which an alarm is hidden, as known at `now` (µs)."""
    spans = [
        Hidden(
            fact.started_at,
            INF if fact.ended_at is None else fact.ended_at,
            SHELVED if isinstance(fact, Shelve) else OUT_OF_SERVICE,
            fact.by,
            fact.ended_at,
        )
        for fact in facts
        if means(fact, name, group) and fact.started_at != fact.ended_at
    ]
    if alarm is not None and suppressible(alarm):
        rule, start = alarm.rule, max(since, cell.floor)
        for of in cell.timeline.intervals(start, now + 1, now):
            word = of.state if of.state in rule.suppress_states else of.mode if of.mode in rule.suppress_modes else None
            if word is not None:
                spans.append(Hidden(of.start, INF if of.end > now else of.end, SUPPRESSED, word, None))
    return spans


def suppressible(alarm: Alarm) -> bool:
    """Whether the machine's state or mode can hide it."""
    return bool(alarm.rule.suppress_states or alarm.rule.suppress_modes)
