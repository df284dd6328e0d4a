"""A line's numbers from its machines': one machine's time and the pieces that left, by a stated rule, never an average.

The bottleneck paces a line: its time elements are the line's. Pieces by the line's `kpi_rule`:

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
        self._cycle_us = {cell: round(type_.ideal_cycle_s * 1_000_000) for cell, type_ in types.items()}

    @property
    def cells(self) -> tuple[str, ...]:
        """Paths of the machines in the order of the flow."""
        return tuple(self._flow)

    def facts(self, parts: Mapping[str, Facts]) -> Result:
        """`parts`: path of each machine that has facts, at least one, and none of another line → its facts."""
        present = sorted(parts, key=self._flow.__getitem__)
        counting = [cell for cell in present if cell in self._counts] or present
        paces = self._bottleneck if self._bottleneck in parts else max(counting, key=self._cycle_us.__getitem__)
        assert paces is not None
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
        return Result(
            Facts(parts[paces].element_us, pieces, quantities), rule, _rolled(parts[cell] for cell in counting)
        )

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
                if is_last:
                    left.append(replace(made, ideal_cycle_us=cycle_us))
                elif made.scrap:
                    left.append(replace(made, ideal_cycle_us=cycle_us, good=0, rework=0))
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
