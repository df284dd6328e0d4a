"""`Kpi` records by hand: what a line did in a window, without a fold behind it."""

import random
from datetime import date, timedelta
from typing import Any

from processors.output.identity import natural_id, revised
from schemas.records import Inputs, Kpi, KpiPieces

HOUR = 3_600_000_000
DAY = 24 * HOUR
T0 = 1_793_232_000_000_000
"""2026-10-29T00:00:00Z"""
LINE = "acme/dallas/packaging/line-1"
CYCLE_US = 6_000_000


def kpi(
    at: int,
    length: int = 8 * HOUR,
    *,
    path: str = LINE,
    window: str = "shift",
    name: str | None = None,
    product: str | None = "cola",
    apt_h: float = 6.0,
    adet_h: float = 1.0,
    good: int = 3000,
    scrap: int = 100,
    rework: int = 0,
    definition: str = "iso22400@2",
    revision: int = 0,
    status: str = "final",
    cycle_us: int = CYCLE_US,
    **more: Any,
) -> Kpi:
    """A closed window: running, delayed, and the rest of it idle without an order."""
    apt, adet = round(apt_h * HOUR), round(adet_h * HOUR)
    fields: dict[str, Any] = {
        "id": revised(natural_id(path, f"kpi.{window}{f'.{name}' if name else ''}", at, definition), revision),
        "path": path,
        "started_at": at,
        "ended_at": at + length,
        "definition": definition,
        "status": status,
        "revision": revision,
        "inputs": Inputs("uns.acme.dallas.packaging.raw", 0, 0, 9),
        "window": window,
        "window_name": name,
        "order": None,
        "product": product if window == "product" else None,
        "element_us": {"APT": apt, "ADET": adet, "ADOT": length - apt - adet},
        "pieces": (KpiPieces(product=product, ideal_cycle_us=cycle_us, good=good, scrap=scrap, rework=rework),),
        "quantities": {},
        "loss_us": {},
        "stops": (),
        "values": {},
        "parts": (),
        "rule": None,
    }
    return Kpi(**(fields | more))


def shifts(name: str, days: int, quality: float, seed: int, *, spread: float = 0.01, **more: Any) -> list[Kpi]:
    """One shift a day, whose quality varies from day to day by more than its pieces alone would."""
    chance = random.Random(f"{name}-{seed}")
    begin = {"early": 6, "late": 14, "night": 22}[name] * HOUR
    windows = []
    for day in range(days):
        share = min(1.0, max(0.0, chance.gauss(quality, spread)))
        pieces = round(chance.gauss(3000, 200))
        good = round(share * pieces)
        at = T0 + day * DAY + begin
        windows.append(
            kpi(at, name=f"{date(2026, 10, 29) + timedelta(days=day)}-{name}", good=good, scrap=pieces - good, **more)
        )
    return windows
