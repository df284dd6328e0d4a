"""Watches a quantity that wears: its zone, its change from the baseline, its trend from the onset on, and its remaining life."""

import msgspec

from processors.condition.features import Moments
from processors.condition.finding import Finding
from processors.condition.life import Forecast, RemainingLife, SavedLife
from processors.condition.onset import Onset, SavedOnset
from processors.condition.words import of_wear
from processors.units import HOUR
from topology.model.condition import WearRule

STEADY = 3
"""Values whose median says the zone and the change: one that is off says neither."""
BACK = 6
"""Values in a row within the baseline after which all is as it was."""
BACK_WITHIN = 2.0
"""Standard deviations."""
LETTERS = "ABCD"


class SavedWear(msgspec.Struct, omit_defaults=True, gc=False):
    """As it is saved. Times µs."""

    period: int | None = None
    moments: Moments | None = None
    """Of the open period, by its number."""
    onset: SavedOnset | None = None
    life: SavedLife | None = None
    left: bool = False
    newest: list[float] = []
    newest_at: int = 0
    back: int = 0
    late: int = 0
    started_at: int | None = None
    finding: Finding | None = None
    learnt_from: int | None = None
    odd_from: int | None = None


class Wear:
    """One cause on one machine.

    Values of a period become one by the rule's feature. The first `baseline` of them are learnt; from where a CUSUM says that
    the quantity has left them (`Onset`), a bank of trends follows it (`RemainingLife`). It is found wrong in zone C or D, after a
    change by more than the rule's share, and where the trend is significant and the failure expected within `within_h`. It
    is over when the quantity has been back within its baseline for `BACK` periods, or after a repair.
    """

    __slots__ = ("_life", "_onset", "_rule", "_s", "changed", "kind", "subject")

    def __init__(self, rule: WearRule) -> None:
        self._rule = rule
        self.kind = "wear" if rule.tag is not None else "creep"
        self.subject = rule.tag or str(rule.of)
        self._onset = Onset(rule.baseline, rule.rises)
        self._life = RemainingLife(1.0 if rule.limit is None else rule.limit, rule.rises, rule.shape)
        self._s = SavedWear()
        self.changed = False

    @property
    def started_at(self) -> int | None:
        return self._s.started_at

    @property
    def finding(self) -> Finding | None:
        return self._s.finding

    @property
    def learning(self) -> bool:
        """Whether it does not know yet what is normal."""
        return self._rule.baseline > 0 and self._onset.mean is None

    @property
    def suspects(self) -> bool:
        """Whether what comes now is evidence of something, found wrong or not yet."""
        return self._life.number > 0 or self._s.odd_from is not None

    @property
    def at(self) -> int:
        """Time (µs) of the newest value."""
        return self._s.newest_at

    # --- values

    def too_late(self) -> None:
        """A value came that the watermark had passed: it is left out, and counted."""
        self._s.late += 1
        self.changed = True

    def take(self, at: int, value: float) -> bool:
        """A sample, in order of time; whether a period has closed with it. Raises ValueError for one that is no number."""
        closed = self.advance(at)
        of = self._s
        if of.moments is None:
            of.period, of.moments = self._period(at), Moments()
        of.moments.update(value)
        self.changed = True
        return closed

    def advance(self, at: int) -> bool:
        """Time has come to `at`; whether that closes a period."""
        of = self._s
        if of.period is None or of.moments is None or self._period(at) <= of.period:
            return False
        value = of.moments.feature(self._rule.feature)
        middle = round((of.period + 0.5) * self._rule.every_s * 1_000_000)
        of.period = of.moments = None
        self.changed = True
        if value is not None:
            self.put(middle, value)
        return True

    def _period(self, at: int) -> int:
        return at // round(self._rule.every_s * 1_000_000)

    def put(self, at: int, value: float) -> None:
        """One value of the quantity itself, at the middle of its period; one that is not later than the last is passed over."""
        of = self._s
        if at <= of.newest_at:
            return
        self.changed = True
        if of.learnt_from is None:
            of.learnt_from = at
        if self._rule.baseline:
            learning = self._onset.mean is None
            state = self._onset.update(value)
            of.newest, of.newest_at = [*of.newest, value][-STEADY:], at
            if not learning:
                self._follow(at, value, state)
        else:
            of.newest, of.newest_at = [*of.newest, value][-STEADY:], at
            of.left = True
            self._life.update(at / HOUR, value)
        self._judge()

    def _follow(self, at: int, value: float, state: str) -> None:
        """The trend begins where the CUSUM left 0, and ends where the quantity is back."""
        of = self._s
        if not of.left and state == "normal":
            self._life.reset()
            return
        self._life.update(at / HOUR, value)
        of.left = of.left or state == "left"
        of.back = of.back + 1 if self._onset.distance(value) < BACK_WITHIN else 0
        if of.left and of.back >= BACK:
            of.left, of.back = False, 0
            self._onset.settle()
            self._life.reset()

    def repaired(self, at: int) -> None:
        late = self._s.late
        self._s = SavedWear(finding=self._s.finding, late=late, newest_at=at)
        self._onset = Onset(self._rule.baseline, self._rule.rises)
        self._life.reset()
        self.changed = True

    # --- judgement

    def _judge(self) -> None:
        of = self._s
        level = sorted(of.newest)[len(of.newest) // 2]
        zone, changed = self._zone(level), self._changed(level)
        forecast = self._life.forecast(self._rule.confidence) if of.left and self._rule.limit is not None else None
        odd = zone in ("C", "D") or changed
        if not odd:
            of.odd_from = None
        elif of.odd_from is None:
            of.odd_from = of.newest_at
        wrong = odd or self._expected(forecast) or self._failed(level) or (of.started_at is not None and of.left)
        if not wrong:
            of.started_at = None
            return
        if of.started_at is None:
            since = round(self._life.since * HOUR) if of.left and self._life.number else of.odd_from
            of.started_at = of.newest_at if since is None else since
        of.finding = self._found(level, zone, changed, forecast)

    def _zone(self, level: float) -> str | None:
        limits = self._rule.zone_limits
        return None if limits is None or self.learning else LETTERS[sum(level > limit for limit in limits)]

    def _changed(self, level: float) -> bool:
        """Whether it has left its baseline by more than the rule's share, either way, and by more than noise."""
        rule, mean = self._rule, self._onset.mean
        if rule.change is None or mean is None:
            return False
        limits = rule.zone_limits
        most = rule.change * (limits[1] if limits is not None else abs(mean))
        return abs(level - mean) > most and abs(self._onset.distance(level)) > DISTINCT

    def _expected(self, forecast: Forecast | None) -> bool:
        return forecast is not None and forecast.median is not None and forecast.median <= self._rule.within_h

    def _failed(self, level: float) -> bool:
        limit = self._rule.limit
        return limit is not None and not self.learning and (level >= limit if self._rule.rises else level <= limit)

    def _severity(self, level: float, zone: str | None, forecast: Forecast | None) -> str:
        soon = forecast is not None and forecast.low is not None and forecast.low <= self._rule.lead_h
        if zone == "D" or self._failed(level) or (soon and self._expected(forecast)):
            return "high"
        return "medium" if zone == "C" or self._expected(forecast) else "low"

    def _found(self, level: float, zone: str | None, changed: bool, forecast: Forecast | None) -> Finding:
        of, rule, life = self._s, self._rule, self._life
        trend = life.number > 0 and of.left
        since = round(life.since * HOUR) if trend else of.started_at
        found = Finding(
            kind=self.kind,
            severity=self._severity(level, zone, forecast),
            subject=self.subject,
            message="",
            value=level,
            baseline=self._onset.mean,
            limit=rule.limit,
            zone=zone,
            points=life.number if trend else len(of.newest),
            evidence_from=since,
            evidence_to=of.newest_at,
            trained_from=of.learnt_from if self._onset.mean is not None else None,
            details={"late": float(of.late), "changed": float(changed)},
        )
        if forecast is not None:
            found.slope_per_h, found.slope_low_per_h = forecast.slope, forecast.slope_low
            found.slope_high_per_h, found.no_trend = forecast.slope_high, forecast.no_trend
            found.details["exponential"] = forecast.exponential
        if self._failed(level):
            found.remaining_s = found.remaining_low_s = found.remaining_high_s = 0.0
            found.fails_at = found.fails_from = found.fails_to = of.newest_at
        elif forecast is not None and forecast.median is not None:
            self._foretell(found, forecast, of.newest_at)
        found.message = of_wear(found, rule)
        return found

    def _foretell(self, found: Finding, forecast: Forecast, now: int) -> None:
        low, median, high = forecast.low, forecast.median, forecast.high
        found.confidence = forecast.confidence
        found.remaining_low_s, found.remaining_s, found.remaining_high_s = (
            None if hours is None else round(hours * 3600, 1) for hours in (low, median, high)
        )
        found.fails_from, found.fails_at, found.fails_to = (
            None if hours is None else now + round(hours * HOUR) for hours in (low, median, high)
        )
        if found.fails_from is not None:
            found.act_by = found.fails_from - round(self._rule.lead_h * HOUR)

    # --- state

    def dump(self) -> SavedWear:
        self._s.onset, self._s.life = self._onset.dump(), self._life.dump()
        return self._s

    def load(self, state: msgspec.Raw) -> None:
        self._s = _decode(state)
        if self._s.onset is not None:
            self._onset.load(self._s.onset)
        if self._s.life is not None:
            self._life.load(self._s.life)


DISTINCT = 4.0
"""Standard deviations of the baseline by which a change must be beyond noise."""
_decode = msgspec.msgpack.Decoder(SavedWear).decode
