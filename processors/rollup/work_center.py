"""A line's numbers from its machines': one machine's time and the pieces that left, by a stated rule, never an average.

The bottleneck paces a line: its time elements are the line's. A machine whose type tells no state paces none. Pieces by the line's `kpi_rule`:

- `end_of_line`: good and reworked pieces of the last machine that counts; scrap of the bottleneck and of every machine
  after it, for each such piece has cost the bottleneck's time. So performance is the bottleneck's, quality is that of
  what it has worked on, and OEE is good pieces of the line against what the bottleneck could have made.
- `bottleneck`: its own pieces.

A piece costs the ideal cycle of its order; where the order says none, the bottleneck's, whichever machine counted it.
Failures, maintenance and energy are those of all machines, for each is maintained and metered by itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from topology.kpi.values import Facts, Pieces, total
from topology.model.plant import Plant
from topology.namespace.path import Path

MACHINES = frozenset({"FE", "TBF", "TTR", "CMT", "PMT", "E"})
"""Quantities that add up over the machines of a line."""


class Result(NamedTuple):
    facts: Facts
    rule: str
    """The rule and the paths it chose."""
    rolled_throughput_yield: Fraction | None


class WorkCenter:
    """The rule of one line."""

    def __init__(self, path: Path, plant: Plant) -> None:
        _, site, area, line = path.segments
        model = plant.namespace.sites[site].areas[area].lines[line]
        types = {f"{path}/{name}": plant.types[cell.type] for name, cell in model.cells.items()}
        self._rule = model.kpi_rule
        self._bottleneck = None if model.bottleneck is None else f"{path}/{model.bottleneck}"
        self._flow = {cell: place for place, cell in enumerate(types)}
        self._counts = frozenset(cell for cell, type_ in types.items() if type_.tag("good_count") is not None)
        self.stated = frozenset(cell for cell, type_ in types.items() if type_.tag("state") is not None)
        """Those that tell a state: only their time can be observed."""
        self._cycle_us = {cell: round(type_.ideal_cycle_s * 1_000_000) for cell, type_ in types.items()}

    @property
    def observable(self) -> tuple[str, ...]:
        """Paths of the machines whose time can be observed; all, where none tells a state."""
        return tuple(cell for cell in self._flow if cell in self.stated) or self.cells

    @property
    def cells(self) -> tuple[str, ...]:
        """Paths of the machines in the order of the flow."""
        return tuple(self._flow)

    def facts(self, parts: Mapping[str, Facts]) -> Result:
        """`parts`: path of each machine that has facts, at least one, and none of another line → its facts."""
        present = sorted(parts, key=self._flow.__getitem__)
        counting = [cell for cell in present if cell in self._counts] or present
        paces = self._paces(present, counting)
        first, last = counting[0], counting[-1]
        if self._rule == "bottleneck":
            pieces, rule, source = parts[paces].pieces, f"bottleneck {paces}", paces
        else:
            pieces = self._left(parts, counting, paces)
            rule, source = f"end_of_line {last} bottleneck {paces}", last
        quantities = {name: of for name, of in total(parts.values()).quantities.items() if name in MACHINES}
        quantities["PQF"] = _made(parts[first].pieces)
        if {"IP", "GP"} <= parts[source].quantities.keys():
            quantities |= {"IP": _made(pieces), "GP": sum(made.good for made in pieces)}
        paced = Facts(parts[paces].element_us, pieces, quantities, parts[paces].observed_us)
        return Result(paced, rule, _rolled(parts[cell] for cell in counting))

    def _paces(self, present: list[str], counting: list[str]) -> str:
        """The machine whose time is the line's. One that tells no state has pieces and no time."""
        among = (
            [cell for cell in counting if cell in self.stated] or [c for c in present if c in self.stated] or counting
        )
        if self._bottleneck in present and (self._bottleneck in self.stated or among is counting):
            assert self._bottleneck is not None
            return self._bottleneck
        return max(among, key=self._cycle_us.__getitem__)

    def _left(self, parts: Mapping[str, Facts], counting: list[str], paces: str) -> tuple[Pieces, ...]:
        """Good and reworked pieces of the last machine, scrap from the bottleneck on."""
        left = []
        for cell in counting:
            is_last = cell == counting[-1]
            if self._flow[cell] < self._flow[paces] and not is_last:
                continue
            for made in parts[cell].pieces:
                by_order = made.ideal_cycle_us != self._cycle_us[cell]
                cycle_us = made.ideal_cycle_us if by_order else self._cycle_us[paces]
                # It counts against the bottleneck's time, which may have been seen where a machine tells no state.
                unseen = made.unseen and cell in self.stated
                if is_last:
                    left.append(replace(made, ideal_cycle_us=cycle_us, unseen=unseen))
                elif made.scrap:
                    left.append(replace(made, ideal_cycle_us=cycle_us, good=0, rework=0, unseen=unseen))
        return total([Facts(pieces=tuple(left)), Facts()]).pieces


def _made(pieces: tuple[Pieces, ...]) -> int:
    return sum(made.good + made.scrap + made.rework for made in pieces)


def _rolled(parts: Iterable[Facts]) -> Fraction | None:
    """RTY: the product of the machines' first pass yields; None where one is not known."""
    rolled = Fraction(1)
    for part in parts:
        inspected, good = part.quantities.get("IP"), part.quantities.get("GP")
        if not inspected or good is None:
            return None
        rolled *= Fraction(good) / Fraction(inspected)
    return rolled
