"""The sums of an hour, shift, order or day so far, from hours that are kept and from what was let go."""

from processors.cell.cell import Cell, window_label
from processors.cell.view import View
from processors.timeline.windows import Group, Groups, merge
from processors.units import HOUR

LONG_MAX = (1 << 63) - 1
"""What the record can hold; only a counter gone mad comes near."""

ORDERS, SHIFTS, DAY = 0, 1, 2
"""Places in a `Group`."""


def shift_sums(cell: Cell, name: str, view: View) -> Groups:
    """The sums of a shift so far."""
    shift = cell.plan.shifts[name]
    return window_sums(cell, SHIFTS, name, shift.start, shift.end, view)


def window_sums(cell: Cell, part: int, name: str, start: int, end: int, view: View) -> Groups:
    """The sums of an order (part 0 of a group), shift (1) or day (2) so far, from hours and from what was let go."""
    groups: Groups = {}
    merge(groups, cell.carry.get(window_label(part, name), {}))
    until = min(end, view.now)
    for hour in range(max(start, view.floor) // HOUR, -(-until // HOUR)):
        for group, totals in cell.windows.hour(cell.plan, hour, view.now, view.watermark).items():
            if group[part] == name:
                merge(groups, {group: totals})
    known_us = sum(sum(totals.element_us) for totals in groups.values())
    if (missing := until - start - known_us) > 0:  # a part older than anything kept
        rest = cell.windows.nothing()
        rest.element_us[cell.elements.unknown] = missing
        order, shift, day = (name if n == part else None for n in (ORDERS, SHIFTS, DAY))
        merge(groups, {Group(order, shift, day or ""): rest})
    return groups
