"""What a line makes, against what it should: hours, orders, bottleneck, changeovers, cycle times. Pure."""

from typing import Any

from uns.web.board import Board, CellBoard
from uns.web.measures import expected, summary

HOURS = 12
ORDERS = 8
CHANGEOVERS = 10


def hours(board: Board, line: str) -> list[dict[str, Any]]:
    """The newest hours of the line: good pieces and scrap, and how many the planned time would have made at the target OEE. An
    hour that is not over counts as far as it is."""
    kpis = board.cells[line].kpis if line in board.cells else ()
    begun = [kpi for kpi in kpis if kpi.window == "hour" and kpi.started_at <= board.now and not kpi.withdrawn]
    return [
        {**(summary(kpi) or {}), "expected": expected(kpi, board.definition, board.oee_target)}
        for kpi in begun[-HOURS:]
    ]


def orders(board: Board, line: str) -> list[dict[str, Any]]:
    """The newest orders of the line, the one that began last first; `open`: it still runs."""
    kpis = board.cells[line].kpis if line in board.cells else ()
    known = [kpi for kpi in kpis if kpi.window == "order" and kpi.started_at <= board.now and not kpi.withdrawn]
    return [
        {
            **(summary(kpi) or {}),
            "order": kpi.order,
            "product": kpi.product,
            "open": kpi.ended_at is None or kpi.ended_at > board.now,
        }
        for kpi in reversed(known[-ORDERS:])
    ]


def bottleneck(board: Board, line: str) -> dict[str, Any] | None:
    """Which machine held the line up in the newest shift, else hour: shares of the window in which each one alone was the
    bottleneck, or in turn with another."""
    known = list(board.cells[line].bottlenecks) if line in board.cells else []
    for kind in ("shift", "hour"):
        found = [one for one in known if one.window == kind and one.started_at <= board.now]
        if found:
            newest = found[-1]
            whole = [sum((c.active_us, c.blocked_us, c.starved_us, c.other_us)) or 1 for c in newest.cells]
            return {
                "window": kind,
                "begin": newest.started_at,
                "name": newest.bottleneck,
                "agrees": newest.agrees,
                "cells": [
                    {
                        "path": cell.path,
                        "sole": cell.sole_us / us,
                        "shifting": cell.shifting_us / us,
                        "blocked": cell.blocked_us / us,
                        "starved": cell.starved_us / us,
                    }
                    for cell, us in zip(newest.cells, whole, strict=True)
                ],
            }
    return None


def changeovers(cells: list[CellBoard]) -> list[dict[str, Any]]:
    """The newest changeovers of the line's machines, the last first, each beside its target (minutes)."""
    known = [one for cell in cells for one in cell.changeovers if not one.withdrawn]
    newest = sorted(known, key=lambda one: (-one.started_at, one.path))[:CHANGEOVERS]
    return [
        {
            "path": one.path,
            "begin": one.started_at,
            "from": one.from_product,
            "to": one.to_product,
            "parts": [us / 60e6 for us in (one.teardown_us, one.setup_us, one.run_in_us)],
            "minutes": one.planned_us / 60e6,
            "target": None if one.target_us is None else one.target_us / 60e6,
            "scrap": one.scrap,
        }
        for one in newest
    ]


def cycles(cells: list[CellBoard]) -> list[dict[str, Any]]:
    """Cycle times (s) of each machine in its newest hour that has any: least, 5 %, median, 95 %, greatest, and the ideal."""
    found = []
    for cell in cells:
        timed = [one for one in cell.cycles if one.median_us is not None and not one.withdrawn]
        if timed:
            newest = timed[-1]
            named = ("min_us", "p5_us", "median_us", "p95_us", "max_us", "ideal_cycle_us")
            values = [getattr(newest, name) for name in named]
            found.append(
                {
                    "path": cell.path,
                    "name": cell.name,
                    "begin": newest.started_at,
                    "product": newest.product,
                    "cycles": newest.cycles,
                    "slow": newest.slow,
                    "suspicion": newest.suspicion,
                    "s": [None if us is None else us / 1e6 for us in values],
                }
            )
    return found
