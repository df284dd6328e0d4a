"""Watches the tags of a rule: learns what is usual, freezes it under a name and a number, and says what is not."""

import math
from typing import NamedTuple
from zlib import crc32

import msgspec

from processors.anomaly.group import Group, learn_group
from processors.anomaly.robust import Robust, learn_robust
from processors.anomaly.season import WEEK_H, Season, learn_season
from processors.anomaly.trees import Trees, learn_trees
from processors.anomaly.verdict import Row, Verdict
from processors.anomaly.words import of_anomaly
from processors.condition.finding import Finding
from topology.model.anomaly import AnomalyRule, AnomalyTagRule, GroupRule, SeasonRule

PRODUCTS_MAX = 16
"""Models of a rule on one machine; where another product comes, the one that was not used for longest goes."""
SEASON_ROWS_MAX = 27 * WEEK_H
"""What a seasonal rule keeps at most while it learns."""


class SavedModel(msgspec.Struct, omit_defaults=True, gc=False):
    """What is usual for one product, or what is learnt of it so far. Times µs."""

    rows: list[Row] = []
    model: Robust | Group | Trees | Season | None = None
    number: int = 0
    learnt: int = 0
    """Periods that it rests on."""
    trained_from: int = 0
    trained_to: int = 0
    used_at: int = 0


class SavedAnomaly(msgspec.Struct, omit_defaults=True, gc=False):
    """As it is saved. Times µs."""

    rule: int = 0
    """Of what the rule learns; another one begins anew."""
    period: int | None = None
    sums: list[tuple[int, float]] = []
    """Of the open period by tag: how many samples, and their mean."""
    product: str | None = None
    """Of the open period."""
    mixed: bool = False
    """Whether two products were made in it."""
    rested_at: int | None = None
    """The newest sample that came while the machine did not run."""
    models: dict[str, SavedModel] = {}
    number: int = 0
    """Of the newest model."""
    beyond: int = 0
    """Unusual periods in a row."""
    beyond_from: int | None = None
    back: int = 0
    late: int = 0
    unjudged: int = 0
    """Periods with a tag missing, two products, or an hour that is not known."""
    newest_at: int = 0
    started_at: int | None = None
    finding: Finding | None = None


class Begun(NamedTuple):
    """An anomaly that has begun: since when (µs), and what it is."""

    at: int
    found: Finding


class Anomaly:
    """One rule on one machine.

    The samples of a period become one mean a tag; a period counts where each tag has one, and one product was made. The first
    `learn` of them (of each product, with `by_product`) are learnt; then there is a model, `NAME@NUMBER`, which stays as it is
    until a work order about one of its records is done, or another rule stands in the plant model. Unusual are `confirm`
    periods in a row beyond the limit; it is over after as many within.
    """

    __slots__ = ("_name", "_rule", "_s", "begun", "changed", "trusted")

    def __init__(self, name: str, rule: AnomalyRule) -> None:
        self._name, self._rule = name, rule
        self._s = SavedAnomaly(rule=digest(rule))
        self.changed = False
        self.trusted = True
        """Whether it keeps to its budget."""
        self.begun: list[Begun] = []
        """What has begun since somebody asked last; whoever asks, clears it."""

    @property
    def started_at(self) -> int | None:
        return self._s.started_at

    @property
    def finding(self) -> Finding | None:
        return self._s.finding

    @property
    def at(self) -> int:
        return self._s.newest_at

    @property
    def learning(self) -> bool:
        """Whether no product has a model yet."""
        return all(of.model is None for of in self._s.models.values())

    @property
    def suspects(self) -> bool:
        return self._s.beyond > 0 or self._s.started_at is not None

    # --- samples

    def too_late(self) -> None:
        """A sample came that the watermark had passed: it is left out, and counted."""
        self._s.late += 1
        self.changed = True

    def rests(self, at: int) -> None:
        """A sample came at `at` (µs) while the machine did not run."""
        self.advance(at)
        self._s.rested_at, self.changed = at, True

    def take(self, at: int, tag: int, value: float, product: str | None = None) -> None:
        """A sample of the rule's tag of that number, in order of time. Raises ValueError for one that is no finite number."""
        if not math.isfinite(value):
            raise ValueError(f"{value}: a finite number is expected")
        self.advance(at)
        of, key = self._s, (product or "") if self._rule.by_product else ""
        if of.rested_at is not None and at - of.rested_at < self._rule.settle_s * 1_000_000:
            return
        self.changed = True
        if of.period is None:
            of.period, of.product, of.mixed = self._period(at), key, False
            of.sums = [(0, 0.0)] * len(self._rule.tags)
        of.mixed = of.mixed or key != of.product
        count, mean = of.sums[tag]
        of.sums[tag] = count + 1, mean + (value - mean) / (count + 1)

    def advance(self, at: int) -> None:
        """Time has come to `at`, which may close a period."""
        of = self._s
        if of.period is None or self._period(at) <= of.period:
            return
        middle = round((of.period + 0.5) * self._rule.every_s * 1_000_000)
        sums, mixed, key = of.sums, of.mixed, of.product or ""
        of.period, of.sums, of.product, of.mixed = None, [], None, False
        self.changed = True
        if mixed or not all(count for count, _ in sums):
            of.unjudged += 1
            return
        self.put(middle, [mean for _, mean in sums], key)

    def _period(self, at: int) -> int:
        return at // round(self._rule.every_s * 1_000_000)

    # --- periods

    def put(self, at: int, values: list[float], product: str = "") -> None:
        """The means of one period; one that is not later than the last is passed over."""
        of = self._s
        if at <= of.newest_at:
            return
        of.newest_at, self.changed = at, True
        known = self._model(product, at)
        if known.model is None:
            self._learn(known, at, values)
            return
        verdict = known.model.score(at, values)
        if verdict is None:
            of.unjudged += 1
            return
        self._judge(at, values, verdict, known, product)

    def _model(self, product: str, at: int) -> SavedModel:
        models = self._s.models
        known = models.get(product)
        if known is None:
            if len(models) >= PRODUCTS_MAX:
                del models[min(models, key=lambda name: (models[name].used_at, name))]
            known = models[product] = SavedModel()
        known.used_at = at
        return known

    def _learn(self, known: SavedModel, at: int, values: list[float]) -> None:
        rule = self._rule
        known.rows.append((at, values))
        if isinstance(rule, SeasonRule):
            whole = at - known.rows[0][0] >= rule.weeks * WEEK_H * 3_600_000_000
            if not whole and len(known.rows) < SEASON_ROWS_MAX:
                return
            known.model = learn_season(known.rows, rule.alpha)
        elif len(known.rows) < rule.learn:
            return
        elif isinstance(rule, AnomalyTagRule):
            known.model = learn_robust(known.rows, rule.alpha, rule.weight)
        elif isinstance(rule, GroupRule):
            known.model = learn_group(known.rows, rule.alpha, rule.explained)
        else:
            known.model = learn_trees(known.rows, rule.trees, rule.depth)
        self._s.number += 1
        known.number = self._s.number
        known.learnt, known.trained_from, known.trained_to = len(known.rows), known.rows[0][0], at
        known.rows = []

    def _judge(self, at: int, values: list[float], verdict: Verdict, known: SavedModel, product: str) -> None:
        of, confirm = self._s, self._rule.confirm
        if verdict.score <= 1:
            of.beyond, of.beyond_from = 0, None
            of.back += 1
            if of.back >= confirm:
                of.started_at = None
            return
        of.beyond, of.back = of.beyond + 1, 0
        if of.beyond_from is None:
            of.beyond_from = at
        if of.started_at is None and of.beyond < confirm:
            return
        begins = of.started_at is None
        if of.started_at is None:
            of.started_at = of.beyond_from
        of.finding = self._found(at, values, verdict, known, product)
        if begins:
            self.begun.append(Begun(of.started_at, of.finding))

    def _found(self, at: int, values: list[float], verdict: Verdict, known: SavedModel, product: str) -> Finding:
        of, rule = self._s, self._rule
        found = Finding(
            kind="anomaly",
            severity="medium" if self.trusted else "low",
            subject=rule.tags[verdict.tag],
            message="",
            value=values[verdict.tag],
            baseline=verdict.expected,
            points=known.learnt,
            evidence_from=of.started_at,
            evidence_to=at,
            score=verdict.score,
            model=f"{self._name}{f'.{product}' if product else ''}@{known.number}",
            trained_from=known.trained_from,
            trained_to=known.trained_to,
            details={
                **verdict.details,
                "periods": float(of.beyond),
                "late": float(of.late),
                "unjudged": float(of.unjudged),
            },
        )
        found.message = of_anomaly(found, rule)
        return found

    def repaired(self, at: int) -> None:
        """What was usual is learnt anew, under the next number."""
        of = self._s
        self._s = SavedAnomaly(
            of.rule, number=of.number, late=of.late, newest_at=max(of.newest_at, at), finding=of.finding
        )
        self.changed = True

    # --- state

    def dump(self) -> SavedAnomaly:
        return self._s

    def load(self, state: msgspec.Raw) -> None:
        """Under another rule nothing that was learnt is kept, but for the number."""
        saved = _decode(state)
        if saved.rule == self._s.rule:
            self._s = saved
        else:
            self._s.number, self._s.newest_at = saved.number, saved.newest_at
            self.changed = True


def digest(rule: AnomalyRule) -> int:
    """Of what a model depends on: not of words, nor of how many periods must be unusual."""
    return crc32(rule.model_dump_json(exclude={"hint", "confirm"}).encode())


_decode = msgspec.msgpack.Decoder(SavedAnomaly).decode
