"""What becomes of a reading by the rules of its tag: renamed, scaled, left out, held back; and tags worked out from others.

Pure: it is told what time it is. Every reading that goes in comes out, is counted with a reason, or is held back; what is
held is in memory alone, one reading a tag, and comes out when its time has come or all is released.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import msgspec

from connectors.base import Reading
from schemas.records import Sample, Value
from topology.kpi.formula import Formula, parse
from topology.model.plant import Plant
from topology.model.shaping import own_rule
from topology.model.wiring import ConnectorEntry
from topology.namespace.path import Path

REASONS = UNCHANGED, DEADBAND, RATE, TOO_OLD = "unchanged", "deadband", "rate", "too_old"
"""Why a reading is left out."""
TAGS_MAX = 200_000
"""Tags that are remembered: a source that invents tags must not fill the memory; some values are published once more."""
OUT_OF_RANGE = 0x803C0000
"""OPC UA's BadOutOfRange: beyond what is valid, or a derived tag whose formula has no value."""
NO_DATA = 0x809B0000
"""OPC UA's BadNoData: a value by which the source says that it has none."""
QUALITIES = {"good": 0, "uncertain": 0x40000000, "bad": 0x80000000}


class Rule(NamedTuple):
    """A `TagRule` ready for use. Times in µs."""

    name: str | None = None
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    unchanged: bool = False
    deadband: float | None = None
    heartbeat: int | None = None
    every: int | None = None
    max_age: int | None = None
    quality: int | None = None
    """Of what the source does not call bad."""
    bad_values: frozenset[tuple[bool, Value]] = frozenset()
    """(whether it is a boolean, value)."""
    valid: tuple[float, float] | None = None

    @property
    def judges(self) -> bool:
        """Whether quality may become another one."""
        return self.quality is not None or self.valid is not None or bool(self.bad_values)

    @property
    def leaves_out(self) -> bool:
        """Whether it rests on what was published last."""
        return self.unchanged or self.deadband is not None or self.every is not None


class _Derived(NamedTuple):
    tag: str
    formula: Formula
    inputs: Mapping[str, str]
    """Word of the formula → tag."""


@dataclass
class Shaped:
    """What came of some readings: went in + derived = readings + suppressed + held."""

    readings: list[Reading] = field(default_factory=list)
    suppressed: Counter[str] = field(default_factory=Counter)
    derived: int = 0
    """How many were worked out from others."""
    held: int = 0
    """How many more are held back than before."""
    safe: list[Reading] = field(default_factory=list)
    """Those that are held back no more, as their source said them."""


class _Held(NamedTuple):
    said: Reading | None
    """As its source said it; None: worked out from others."""
    reading: Reading
    rule: Rule
    until: int
    """µs, when it comes out."""


class Shaping:
    """The rules of one connector. Remembers the last published value of each tag that something is left out of."""

    def __init__(self, entry: ConnectorEntry, plant: Plant) -> None:
        self._entry = entry
        self._types = plant.type_names
        self._rules: dict[tuple[Path, str], Rule] = {}
        self._derived: dict[Path, tuple[_Derived, ...]] = {}
        self._last: dict[tuple[Path, str], tuple[Value, int, int]] = {}
        """(value, quality, source time) as published last."""
        self._known: dict[tuple[Path, str], Sample] = {}
        """Newest values of the tags that others are worked out from."""
        self._held: dict[tuple[Path, str], _Held] = {}
        suppress = entry.suppress
        self.remakes = bool(entry.tags or entry.derived)
        """Whether what comes out may be another value, or have another name, than what went in."""
        self._idle = not (self.remakes or suppress.unchanged or suppress.deadband)

    def goes_on_from(self, before: "Shaping") -> None:
        """Takes over what other rules have published last, and what tags are worked out from."""
        assert not before.holds, "what is held back must be let out by the rules that held it"
        self._last, self._known = before._last, before._known

    def shape(self, readings: Sequence[Reading], now: int) -> Shaped:
        """What becomes of readings that arrive at `now` (µs), in their order."""
        if self._idle:
            return Shaped(list(readings), safe=list(readings))
        shaped = Shaped()
        for reading in readings:
            self._one(shaped, reading, now)
        return shaped

    @property
    def holds(self) -> int:
        return len(self._held)

    def due(self, now: int | None) -> Shaped:
        """Those held back whose time has come; None: all, for the end has come."""
        shaped = Shaped()
        for key, held in list(self._held.items()):
            if now is None or held.until <= now:
                del self._held[key]
                shaped.held -= 1
                self._publish(shaped, held.said, held.reading, held.rule, held.until)
        return shaped

    def _one(self, shaped: Shaped, said: Reading, now: int) -> None:
        rule = self._rule(said.path, said.sample.tag)
        if rule.max_age is not None and now - said.sample.at > rule.max_age:
            self._left_out(shaped, said, TOO_OLD)
            return
        reading = _renamed(said, rule)
        if self._is_news(shaped, said, reading, rule, now):
            self._publish(shaped, said, reading, rule, now)

    def _publish(self, shaped: Shaped, said: Reading | None, reading: Reading, rule: Rule, now: int) -> None:
        if said is not None:
            shaped.safe.append(said)
        self._remember(reading, rule)
        shaped.readings.append(reading)
        for derived in self._work_out(reading):
            shaped.derived += 1
            its = self._rule(derived.path, derived.sample.tag)
            if self._is_news(shaped, None, derived, its, now):
                self._remember(derived, its)
                shaped.readings.append(derived)

    def _is_news(self, shaped: Shaped, said: Reading | None, reading: Reading, rule: Rule, now: int) -> bool:
        """Whether a reading is published now. Else it is counted, or held back."""
        if reading.ahead or not rule.leaves_out:
            return True  # one that is ahead of older ones says nothing of what was before it, and may not wait
        sample, key = reading.sample, (reading.path, reading.sample.tag)
        last = self._last.get(key)
        if last is not None and last[1] == sample.quality:  # a change of quality is always news
            age = sample.at - last[2]
            if (rule.heartbeat is None or age < rule.heartbeat) and (reason := _like(last[0], sample.value, rule)):
                self._drop_held(shaped, key)  # it went back to what is published
                self._left_out(shaped, said, reason)
                return False
            if rule.every is not None and 0 <= age < rule.every:
                self._drop_held(shaped, key)
                self._held[key] = _Held(said, reading, rule, now + rule.every - age)
                shaped.held += 1
                return False
        self._drop_held(shaped, key)
        return True

    def _drop_held(self, shaped: Shaped, key: tuple[Path, str]) -> None:
        """A later one takes the place of what is held back."""
        if (held := self._held.pop(key, None)) is not None:
            shaped.held -= 1
            self._left_out(shaped, held.said, RATE)

    def _left_out(self, shaped: Shaped, said: Reading | None, reason: str) -> None:
        shaped.suppressed[reason] += 1
        if said is not None:
            shaped.safe.append(said)

    def _remember(self, reading: Reading, rule: Rule) -> None:
        if reading.ahead or not rule.leaves_out:
            return  # the rest costs no memory
        if len(self._last) >= TAGS_MAX:
            self._last.clear()
        sample = reading.sample
        self._last[reading.path, sample.tag] = (sample.value, sample.quality, sample.at)

    # -- rules ---------------------------------------------------------------------------------------------------

    def _rule(self, path: Path, tag: str) -> Rule:
        rule = self._rules.get((path, tag))
        if rule is None:
            if len(self._rules) >= TAGS_MAX:
                self._rules.clear()
            rule = self._rules[path, tag] = self._made(path, tag)
        return rule

    def _made(self, path: Path, tag: str) -> Rule:
        suppress = self._entry.suppress
        found = own_rule(self._entry.tags, path, self._types.get(path), tag)
        unchanged, deadband = suppress.unchanged, suppress.deadband.get(tag)
        if found is None:
            return Rule(unchanged=unchanged, deadband=deadband)
        factor, offset = found.linear
        return Rule(
            found.name,
            factor,
            offset,
            unchanged if found.unchanged is None else found.unchanged,
            deadband if found.deadband is None else found.deadband,
            _micros(found.heartbeat_s),
            _micros(found.every_s),
            _micros(found.max_age_s),
            None if found.quality is None else QUALITIES[found.quality],
            frozenset((isinstance(value, bool), value) for value in found.bad_values),
            _limits(found.valid),
        )

    # -- tags worked out from others -----------------------------------------------------------------------------

    def _work_out(self, reading: Reading) -> Iterator[Reading]:
        """The tags that rest on this one, in the order of the model: one may rest on another before it."""
        if not self._entry.derived or reading.ahead:
            return
        path, changed = reading.path, {reading.sample.tag}
        if (of_path := self._derived.get(path)) is None:
            of_path = self._derived[path] = tuple(
                _Derived(
                    one.tag, parse(one.formula), {w: one.inputs.get(w, w) for w in sorted(parse(one.formula).names)}
                )
                for one in self._entry.derived
                if one.fits(path, self._types.get(path))
            )
        if not any(changed & set(one.inputs.values()) for one in of_path):
            return
        self._known[path, reading.sample.tag] = reading.sample
        for one in of_path:
            if not changed & set(one.inputs.values()):
                continue
            samples = [self._known.get((path, tag)) for tag in one.inputs.values()]
            inputs = [sample for sample in samples if sample is not None]
            if len(inputs) < len(samples):
                continue  # not all of them have spoken yet
            worked_out = Reading(path, _worked_out(one, inputs), reading.time_of)
            told = _of_quality(worked_out, self._rule(path, one.tag), worked_out.sample.value)
            self._known[path, one.tag] = told.sample
            changed.add(one.tag)
            yield told


def _renamed(reading: Reading, rule: Rule) -> Reading:
    """Under its name, as a number of its unit."""
    sample = reading.sample
    value = _scaled(sample.value, rule.factor, rule.offset)
    tag = rule.name or sample.tag
    if tag != sample.tag or value is not sample.value:
        reading = _with(reading, tag=tag, value=value)
    return _of_quality(reading, rule, sample.value)


def _of_quality(reading: Reading, rule: Rule, said: Value) -> Reading:
    """With the quality that its rule gives it. `said`: the value as its source gave it."""
    sample = reading.sample
    if not rule.judges or sample.quality >> 31:
        return reading  # what the source calls bad stays so, with its reason
    if (isinstance(said, bool), said) in rule.bad_values:
        return _with(reading, value=None, quality=NO_DATA)
    value = sample.value
    if rule.valid is not None and _number(value) and not rule.valid[0] <= value <= rule.valid[1]:  # type: ignore[operator]
        return _with(reading, quality=OUT_OF_RANGE)
    if rule.quality is not None and sample.quality >> 30 != rule.quality >> 30:
        return _with(reading, quality=rule.quality)
    return reading


def _with(reading: Reading, **changes: str | Value) -> Reading:
    return msgspec.structs.replace(reading, sample=msgspec.structs.replace(reading.sample, **changes))


def _limits(valid: tuple[float | None, float | None] | None) -> tuple[float, float] | None:
    if valid is None:
        return None
    least, greatest = valid
    return (-math.inf if least is None else least, math.inf if greatest is None else greatest)


def _scaled(value: Value, factor: Fraction, offset: Fraction) -> Value:
    """Exactly, and rounded once: a tenth of 3 is 0.3. What is no number stays as it is, for the fold to judge."""
    if (factor == 1 and offset == 0) or not _number(value) or isinstance(value, str | None):
        return value
    exact = value * factor + offset if isinstance(value, int) else Fraction(value) * factor + offset
    if isinstance(value, int) and factor.denominator == offset.denominator == 1:
        return int(exact)
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _like(before: Value, value: Value, rule: Rule) -> str | None:
    """Why a value says nothing new."""
    if rule.unchanged and type(before) is type(value) and before == value:
        return UNCHANGED
    if rule.deadband is not None and _number(before) and _number(value) and abs(value - before) < rule.deadband:  # type: ignore[operator]
        return DEADBAND
    return None


def _number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _worked_out(one: _Derived, inputs: list[Sample]) -> Sample:
    """At the newest time of its inputs, with the worst of their qualities; no number makes none, with a bad quality."""
    at = max(sample.at for sample in inputs)
    quality = max((sample.quality for sample in inputs), key=lambda code: code >> 30)
    by_word = dict(zip(one.inputs, inputs, strict=True))

    def resolve(word: str) -> Fraction | None:
        value = by_word[word].value
        return Fraction(value) if _number(value) and not isinstance(value, str | None) else None

    exact = one.formula.value(resolve)
    try:
        value = None if exact is None else float(exact)
    except OverflowError:
        value = None
    if value is None:
        return Sample(one.tag, at, None, quality if quality >> 31 else OUT_OF_RANGE)
    return Sample(one.tag, at, value, quality)


def _micros(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)
