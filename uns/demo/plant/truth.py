"""What the plant really did: written as JSON lines while it runs, read once at the end.

Reading gives exact answers in µs of plant time. An interval is half open: an event at `t` is in [start, end) when
start ≤ t < end. A machine that is silent counts as `unknown` from the last thing it said to the first it says again, and
the pieces it makes meanwhile count when it speaks again: nobody outside can know better. If it never does, they do not.

OEE follows ISO 22400 and is computed here from the truth alone, sharing no code with the processors:
PBT = time inside a known shift and outside its breaks; APT = the part of PBT in Execute, mode production, not silent;
A = APT / PBT; P = Σ PRI·PQ / APT; Q = GQ / PQ; OEE = Σ PRI·GQ / PBT; none without a denominator. PRI is the ideal
cycle of the order on the line when the piece was made. Pieces made in a break or outside shifts count, too.
"""

import json
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from uns.demo.plant.events import Truth as Told

DEFAULT_CYCLE_S = 6.0
RUNNING = ("execute", "production")


class TruthLog:
    """Appends; a `kill -9` loses what was told in the last moments only."""

    def __init__(self, file: Path, begin: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = file.open("w", encoding="utf-8")
        self._write("start", begin, {})

    def tell(self, told: Told) -> None:
        self._write(told.kind, told.at, told.content)

    def end(self, at: int) -> None:
        """The plant does nothing from here on. May come more than once: the first counts."""
        self._write("end", at, {})
        self._file.flush()

    def flush(self) -> None:
        self._file.flush()

    def _write(self, kind: str, at: int, content: dict[str, Any]) -> None:
        self._file.write(json.dumps({"kind": kind, "at": at, **content}, separators=(",", ":")) + "\n")

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Fault:
    """Something that went wrong and should be said; times µs."""

    name: str
    """bearing | tool | lot | flood | chatter"""
    path: str
    """Of the machine, or of the line."""
    subject: str
    started_at: int
    ended_at: int | None
    due_at: int
    """By when it has to have been said."""
    fails_at: int | None = None
    """When it stops the machine, if nobody does something."""


@dataclass
class Truth:
    """One run, read back."""

    start_us: int = 0
    end_us: int = 0
    machines: list[str] = field(default_factory=list)
    breakdowns: list[tuple[str, int, int | None]] = field(default_factory=list)
    """(path, begin, end)"""
    drifts: list[tuple[str, str, int]] = field(default_factory=list)
    """(path, characteristic, begin)"""
    silences: list[tuple[str, int, int | None]] = field(default_factory=list)
    """(path, begin, end); none: still silent"""
    faults: list[Fault] = field(default_factory=list)
    stops: dict[str, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Path → (begin, end of the cause, reason code) of its own stops, the breakdown among them; it runs a moment later."""
    _states: dict[str, list[tuple[int, str, str]]] = field(default_factory=lambda: defaultdict(list))
    _pieces: dict[str, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    _orders: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    _shifts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def read(cls, file: Path) -> "Truth":
        """A half-written last line, as a kill leaves it, is passed over."""
        truth = cls()
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                told = json.loads(line)
            except ValueError:
                continue
            truth._take(told.pop("kind"), told.pop("at"), told)
        truth.machines = sorted(truth._states)
        if not truth.end_us:
            raise ValueError(f"{file} has no end: the plant was stopped in mid-run")
        return truth

    def _take(self, kind: str, at: int, told: dict[str, Any]) -> None:
        match kind:
            case "start":
                self.start_us = at
            case "end":
                self.end_us = self.end_us or at
            case "state":
                self._states[told["path"]].append((at, told["state"], told["mode"]))
            case "count":
                self._pieces[told["path"]].append((at, told["good"], told["scrap"]))
            case "order":
                self._orders[told["line"]][told["id"]] = told
            case "shift":
                self._shifts[told["line"]][told["id"]] = told
            case "breakdown":
                self.breakdowns.append((told["path"], told["started_at"], told["ended_at"]))
            case "stop":
                self.stops[told["path"]].append((at, told["ended_at"], told["reason"]))
            case "drift":
                self.drifts.append((told["path"], told["characteristic"], at))
            case "fault":
                fault = Fault(told.pop("fault"), **told)
                key = (fault.name, fault.path, fault.started_at)
                self.faults = [of for of in self.faults if (of.name, of.path, of.started_at) != key] + [fault]
            case "silence":
                known = [silence for silence in self.silences if silence[:2] != (told["path"], told["started_at"])]
                self.silences = [*known, (told["path"], told["started_at"], told["ended_at"])]

    def segments(self, path: str, start: int, end: int) -> list[tuple[int, int, str, str]]:
        """(begin, end, state, mode) that tile [start, end); before its first word a machine is unknown."""
        told = self._states.get(path, [])
        cuts = sorted(
            {start, end, *(at for at, _, _ in told if start < at < end)} | set(self._silence_edges(path, start, end))
        )
        tiles = []
        for begin, last in pairwise(cuts):
            place = bisect_left(told, (begin + 1,)) - 1
            state, mode = (told[place][1], told[place][2]) if place >= 0 else ("unknown", "unknown")
            if self._silent(path, begin):
                state = "unknown"
            tiles.append((begin, last, state, mode))
        return tiles

    def _silence_edges(self, path: str, start: int, end: int) -> list[int]:
        edges = [
            edge for place, begin, last in self.silences if place == path for edge in (begin, last) if edge is not None
        ]
        return [edge for edge in edges if start < edge < end]

    def _silent(self, path: str, at: int) -> bool:
        return any(place == path and begin <= at and (end is None or at < end) for place, begin, end in self.silences)

    def state_us(self, path: str, start: int, end: int) -> dict[str, int]:
        """State → µs; the values sum to the interval."""
        totals: dict[str, int] = defaultdict(int)
        for begin, last, state, _ in self.segments(path, start, end):
            totals[state] += last - begin
        return dict(totals)

    def counts(self, path: str, start: int, end: int) -> tuple[int, int]:
        """(good, scrap) pieces made."""
        pieces = [piece for piece in self._known_pieces(path) if start <= piece[0] < end]
        return sum(piece[1] for piece in pieces), sum(piece[2] for piece in pieces)

    def _known_pieces(self, path: str) -> list[tuple[int, int, int]]:
        """(when it could be known, good, scrap)."""
        known = []
        for at, good, scrap in self._pieces.get(path, []):
            silence = next(
                (gap for gap in self.silences if gap[0] == path and gap[1] < at and (gap[2] is None or at < gap[2])),
                None,
            )
            if silence is None:
                known.append((at, good, scrap))
            elif silence[2] is not None:
                known.append((silence[2], good, scrap))
        return known

    def orders(self, line: str) -> list[dict[str, Any]]:
        """In order of begin, as last told."""
        return sorted(self._orders.get(line, {}).values(), key=lambda order: int(order["started_at"]))

    def oee(self, path: str, start: int, end: int) -> dict[str, float | None]:
        """availability, performance, quality and oee of a window."""
        line = path.rpartition("/")[0]
        busy = self._busy(line, start, end)
        pbt = sum(last - begin for begin, last in busy)
        apt = sum(
            max(0, min(last, until) - max(begin, since))
            for begin, last, state, mode in self.segments(path, start, end)
            if (state, mode) == RUNNING
            for since, until in busy
        )
        good = scrap = 0
        ideal = ideal_good = 0.0
        for at, is_good, is_scrap in self._known_pieces(path):
            if start <= at < end:
                cycle_us = self._cycle_s(line, at) * 1e6
                good, scrap = good + is_good, scrap + is_scrap
                ideal, ideal_good = ideal + cycle_us * (is_good + is_scrap), ideal_good + cycle_us * is_good
        return {
            "availability": apt / pbt if pbt else None,
            "performance": ideal / apt if apt else None,
            "quality": good / (good + scrap) if good + scrap else None,
            "oee": ideal_good / pbt if pbt else None,
        }

    def _busy(self, line: str, start: int, end: int) -> list[tuple[int, int]]:
        busy = []
        for shift in self._shifts.get(line, {}).values():
            at = max(start, shift["started_at"])
            last = min(end, shift["ended_at"])
            for pause in sorted(shift["breaks"], key=lambda pause: int(pause["started_at"])):
                if at < (until := min(last, pause["started_at"])):
                    busy.append((at, until))
                at = max(at, pause["ended_at"])
            if at < last:
                busy.append((at, last))
        return busy

    def _cycle_s(self, line: str, at: int) -> float:
        for order in self._orders.get(line, {}).values():
            if order["started_at"] <= at and (order["ended_at"] is None or at < order["ended_at"]):
                return float(order["ideal_cycle_s"])
        return DEFAULT_CYCLE_S
