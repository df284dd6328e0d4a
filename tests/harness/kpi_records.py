"""Kpi records of machines by hand, as the line fold would publish them, and a plant of two zones to roll them up in."""

from collections.abc import Iterable, Mapping
from typing import Any

from processors.output.identity import natural_id, revised
from processors.rollup.fold import Rollup
from schemas.records import Inputs, Kpi, KpiPieces, KpiStops
from topology.kpi.values import Facts, Pieces, losses
from topology.model.kpis import selected
from topology.model.plant import Plant

S = 1_000_000
MINUTE = 60 * S
HOUR = 60 * MINUTE
T0 = 1_795_413_600 * S  # 2026-11-23T06:00:00Z, midnight in Chicago
LABEL = "iso22400@2"
COUNTING = {"State": {"role": "state"}, "Good": {"role": "good_count"}, "Scrap": {"role": "scrap_count"}}
DALLAS, LEIPZIG = "acme/dallas/packaging", "acme/leipzig/packaging"
LINE_1 = f"{DALLAS}/line-1"
FILLER, CAPPER, ROBOT = (f"{LINE_1}/{name}" for name in ("filler", "capper", "robot"))
PRESS, OVEN = f"{DALLAS}/line-2/press", f"{LEIPZIG}/line-9/oven"
CELLS = (FILLER, CAPPER, ROBOT, PRESS, OVEN)


def plant(line: Mapping[str, Any] | None = None, enterprise: str = "acme", **more: Any) -> Plant:
    """line-1: filler (6 s) → capper (4 s) → robot, which counts nothing; line-2: press (10 s); line-9: oven (20 s)."""
    cells = {"filler": "filler", "capper": "capper", "robot": "robot"}
    return Plant.model_validate(
        {
            "namespace": {
                "enterprise": enterprise,
                "sites": {
                    "dallas": {
                        "areas": {
                            "packaging": {
                                "partitions": 2,
                                "lines": {
                                    "line-1": {"cells": cells, **(line or {})},
                                    "line-2": {"cells": {"press": "press"}},
                                },
                            }
                        },
                        "kpis": {
                            "pieces_per_hour": {
                                "name": "Pieces per hour",
                                "formula": "PQ / (APT / hour)",
                                "trend": "higher_is_better",
                            }
                        },
                    },
                    "leipzig": {"areas": {"packaging": {"lines": {"line-9": {"cells": {"oven": "oven"}}}}}},
                },
            },
            "types": {
                "filler": {"ideal_cycle_s": 6, "tags": COUNTING},
                "capper": {"ideal_cycle_s": 4, "tags": COUNTING},
                "robot": {"ideal_cycle_s": 30, "tags": {"State": {"role": "state"}}},
                "press": {"ideal_cycle_s": 10, "tags": COUNTING},
                "oven": {"ideal_cycle_s": 20, "tags": COUNTING},
            },
            "shifts": {
                "chicago": {
                    "filter": f"{enterprise}/dallas/#",
                    "zone": "America/Chicago",
                    "shifts": {"early": {"begin": "06:00", "end": "14:00"}},
                },
                "berlin": {
                    "filter": f"{enterprise}/leipzig/#",
                    "zone": "Europe/Berlin",
                    "shifts": {"early": {"begin": "06:00", "end": "14:00"}},
                },
            },
            "kpi": {"definition": LABEL},
            **more,
        }
    )


MODEL = plant()
DEFINITION = selected(MODEL)


def pieces(good: int, scrap: int = 0, rework: int = 0, cycle_s: float = 6, product: str | None = None) -> KpiPieces:
    return KpiPieces(product=product, ideal_cycle_us=round(cycle_s * S), good=good, scrap=scrap, rework=rework)


def kpi(
    path: str,
    start: int = T0,
    end: int | None = T0 + HOUR,
    elements: Mapping[str, int] | None = None,
    made: Iterable[KpiPieces] = (),
    *,
    window: str = "hour",
    name: str | None = None,
    product: str | None = None,
    status: str = "final",
    revision: int = 0,
    quantities: Mapping[str, float] | None = None,
    stops: Iterable[KpiStops] = (),
    label: str = LABEL,
    offset: int = 0,
    partition: int = 0,
) -> Kpi:
    """A machine's record. An end that is its begin: withdrawn. Without elements it ran all the time (an hour if open)."""
    length = (T0 + HOUR if end is None else end) - start
    element_us = {**dict.fromkeys(DEFINITION.elements, 0), **(elements if elements is not None else {"APT": length})}
    made = tuple(made)
    counts = {
        "IP": float(sum(piece.good + piece.scrap + piece.rework for piece in made)),
        "GP": float(sum(o.good for o in made)),
    }
    known = {"FE": 0.0, "TTR": 0.0, **counts, **(quantities or {})}
    kind = f"kpi.{window}" if window != "product" else f"kpi.product.{product}"
    facts = Facts(
        element_us, tuple(Pieces(o.ideal_cycle_us, o.good, o.scrap, o.rework, o.product) for o in made), known
    )
    return Kpi(
        id=revised(natural_id(path, kind, start, label), revision),
        path=path,
        started_at=start,
        ended_at=end,
        definition=label,
        status=status,
        revision=revision,
        inputs=Inputs(".".join(["uns", *path.split("/")[:3], "raw"]), partition, offset, offset + 9),
        window=window,
        window_name=product if window == "product" else name,
        order=name if window == "order" else None,
        product=product,
        element_us=element_us,
        pieces=made,
        quantities=known,
        loss_us=losses(DEFINITION, facts),
        stops=tuple(stops),
        values={},  # a roll-up never looks at its parts' values
        parts=(),
        rule=None,
    )


class Run:
    """A roll-up fed with records, and what stands of what it said."""

    def __init__(self, model: Plant = MODEL, horizon_us: int | None = None) -> None:
        self.fold = Rollup(model, horizon_us)
        self.said: list[Kpi] = []

    def feed(self, *records: Kpi) -> "Run":
        for record in records:
            self.fold.take(record)
        self.said += self.fold.derive()
        return self

    def standing(self) -> dict[str, Kpi]:
        """Natural id → newest revision, of what was not withdrawn."""
        newest: dict[str, Kpi] = {}
        for record in self.said:
            before = newest.get(record.natural_id)
            assert record.revision == (0 if before is None else before.revision + 1), record.id
            newest[record.natural_id] = record
        return {name: record for name, record in newest.items() if record.ended_at != record.started_at}

    def at(self, path: str, window: str = "hour", name: str | None = None) -> Kpi:
        """The one standing record of a place's window."""
        (only,) = (
            record
            for record in self.standing().values()
            if (record.path, record.window) == (path, window) and name in (None, record.window_name)
        )
        return only
