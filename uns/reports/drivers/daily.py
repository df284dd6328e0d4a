"""The answer as a record of a day, for whoever subscribes: what a loss hung together with, told anew each day.

It is made from published records, over weeks that no fold keeps, so it is published as a pilot's report is. The same
records give the same bytes: numbers are rounded to six digits, which is more than any of them is worth.
"""

from collections.abc import Sequence

import msgspec

from processors.analysis.drivers import Finding, LevelFinding
from processors.output.identity import natural_id, revised
from schemas.codec import Codec
from schemas.records import Derived, Driver, DriverFactor, DriverLevel, Inputs
from topology.namespace.classes import MessageClass
from topology.namespace.filters import ONE, REST, Filter
from topology.namespace.path import Path
from uns.kafka.publish import publish_derived
from uns.reports.drivers.answer import Answer
from uns.reports.reading import within
from uns.runtime.settings import Settings

DEFINITION = "drivers@1"
"""What the numbers follow; another method is another version."""
FACTORS_MAX, LEVELS_MAX = 24, 12


def place(wanted: Filter) -> Path:
    """Where a record about a filter belongs: the deepest place that holds all that it names. Raises `ValueError`."""
    levels = []
    for level in wanted.levels:
        if level in (ONE, REST):
            break
        levels.append(level)
    if not levels:
        raise ValueError("a record needs a place: begin FILTER with the enterprise, e.g. acme/dallas/#")
    return Path.parse("/".join(levels))


def record(
    answer: Answer, wanted: Filter, day: tuple[int, int], records: Sequence[Derived], revision: int = 0
) -> Driver:
    """The record of a day ([begin, end) µs), resting on `records`; provisional while the history ends before the day."""
    assert answer.start is not None
    assert answer.end is not None
    path = str(place(wanted))
    status = "provisional" if answer.end < day[1] else "corrected" if revision else "final"
    drivers, outcome = answer.drivers, answer.outcome
    return Driver(
        id=revised(natural_id(path, f"driver.{answer.of}", day[0], DEFINITION), revision),
        path=path,
        started_at=day[0],
        ended_at=day[1],
        definition=DEFINITION,
        status=status,
        revision=revision,
        inputs=_inputs(records),
        of=str(answer.of),
        filter=str(wanted),
        history_from=answer.start,
        history_to=answer.end,
        exposure=_rounded(drivers.exposure) or 0.0,
        exposure_unit=outcome.exposure_unit,
        loss=_rounded(drivers.loss) or 0.0,
        loss_unit=outcome.loss_unit,
        observations=drivers.observations,
        factors=tuple(_factor(finding) for finding in drivers.findings[:FACTORS_MAX]),
    )


def publish(settings: Settings, codec: Codec, draft: Driver, wanted: Filter) -> Driver | None:
    """Writes the record where it says something new. None: it is there already. Raises `NotPublished`."""
    there = [
        known
        for known in within(
            settings,
            codec,
            Filter.parse(draft.path),
            MessageClass.DRIVER,
            Driver,
            draft.started_at,
            draft.ended_at or 0,
        )
        if known.natural_id == draft.natural_id
    ]
    if there:
        last = max(there, key=lambda known: known.revision)
        if _content(draft) == _content(last) and (draft.status == "provisional") == (last.status == "provisional"):
            return None
        number = last.revision + 1
        status = draft.status if draft.status == "provisional" or last.status == "provisional" else "corrected"
        draft = msgspec.structs.replace(draft, id=revised(draft.natural_id, number), revision=number, status=status)
    publish_derived(settings, codec, draft)
    return draft


def _content(draft: Driver) -> Driver:
    return msgspec.structs.replace(draft, id="", revision=0, status="", history_to=0)


def _factor(finding: Finding) -> DriverFactor:
    return DriverFactor(
        factor=finding.factor,
        driver=finding.driver,
        p=_rounded(finding.test.p),
        q=_rounded(finding.q),
        strata=finding.strata,
        best=finding.best,
        avoidable=_rounded(finding.avoidable.value),
        avoidable_low=_rounded(finding.avoidable.low),
        avoidable_high=_rounded(finding.avoidable.high),
        levels=tuple(_level(level) for level in finding.levels[:LEVELS_MAX]),
        warnings=finding.warnings,
    )


def _level(level: LevelFinding) -> DriverLevel:
    ratio, difference = level.adjusted.ratio, level.adjusted.difference
    return DriverLevel(
        level=level.name,
        exposure=_rounded(level.exposure) or 0.0,
        loss=_rounded(level.loss) or 0.0,
        ratio=_rounded(ratio.value),
        ratio_low=_rounded(ratio.low),
        ratio_high=_rounded(ratio.high),
        difference=_rounded(difference.value),
        difference_low=_rounded(difference.low),
        difference_high=_rounded(difference.high),
        q=_rounded(level.q),
        avoidable=_rounded(level.avoidable.value),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _inputs(records: Sequence[Derived]) -> Inputs:
    """The raw offsets of the partition that the last record rests on."""
    last = max(records, key=lambda one: (one.started_at, one.path)).inputs
    same = [one.inputs for one in records if (one.inputs.topic, one.inputs.partition) == (last.topic, last.partition)]
    return Inputs(
        last.topic, last.partition, min(one.first_offset for one in same), max(one.last_offset for one in same)
    )
