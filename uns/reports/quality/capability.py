"""How well characteristics fit their specification over any stretch of time, from the published points; machine studies, too."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from processors.spc.capability import (
    CONFIDENCE,
    ByQuantiles,
    Capability,
    Index,
    Scatter,
    Shape,
    by_quantiles,
    capability,
    machine,
    shape,
)
from processors.spc.scatter import Estimate, sums
from processors.spc.specification import Specification
from schemas.records import Quality
from topology.model.charts import COUNTED

STUDY_MIN = 50
"""Pieces in a row that a machine study should have (ISO 22514-3)."""


class Found(NamedTuple):
    """One characteristic of one machine."""

    path: str
    characteristic: str
    specification: Specification
    scatter: Scatter
    beyond: int
    start: int
    end: int
    """Times of the first and the last value, µs."""
    indices: Capability
    study: tuple[Index, Index] | None
    """Cm and Cmk."""
    quantiles: ByQuantiles | None
    shape: Shape


def capabilities(points: Iterable[Quality], study: bool, confidence: float = CONFIDENCE) -> list[Found]:
    """Of each characteristic with a specification and two values or more, by path and name. Of several revisions of a point
    the last counts; `study`: values are those of a machine study."""
    newest: dict[str, Quality] = {}
    for point in points:
        known = newest.get(point.natural_id)
        if known is None or point.revision > known.revision:
            newest[point.natural_id] = point
    standing = [point for point in newest.values() if not point.withdrawn and point.chart not in COUNTED]
    standing.sort(key=lambda point: (point.path, point.characteristic, point.started_at, point.id))
    found = []
    for (path, characteristic), of in groupby(standing, key=lambda point: (point.path, point.characteristic)):
        told = list(of)
        specification = Specification(told[-1].lsl, told[-1].usl)
        if specification and len(told) > 1:
            found.append(_of(path, characteristic, told, specification, study, confidence))
    return found


def _of(
    path: str,
    characteristic: str,
    points: Sequence[Quality],
    specification: Specification,
    study: bool,
    confidence: float,
) -> Found:
    groups, estimate = _subgroups(points)
    all_of = sums(groups, estimate, specification)
    scatter = all_of.scatter
    values = sorted(point.value for point in points)
    return Found(
        path,
        characteristic,
        specification,
        scatter,
        all_of.beyond,
        points[0].started_at,
        points[-1].started_at,
        capability(scatter, specification, confidence=confidence),
        machine(scatter, specification, confidence) if study else None,
        by_quantiles(values, specification),
        shape(values, scatter.mean, scatter.overall),
    )


def _subgroups(points: Sequence[Quality]) -> tuple[list[list[float]], Estimate]:
    """Values as their chart took them together: a point of phase `member` goes with those up to the one that completes them."""
    if not any(point.phase == "member" for point in points):
        return [[point.value for point in points]], "moving"
    groups: list[list[float]] = [[]]
    for point in points:
        groups[-1].append(point.value)
        if point.phase != "member":
            groups.append([])
    return groups, "range" if points[-1].chart == "mean_range" else "sd"


def document(found: Found) -> dict[str, Any]:
    """As JSON says it."""
    told: dict[str, Any] = {
        "path": found.path,
        "characteristic": found.characteristic,
        "lsl": found.specification.lsl,
        "usl": found.specification.usl,
        "points": found.scatter.number,
        "out_of_specification": found.beyond,
        "mean": found.scatter.mean,
        "sigma_within": found.scatter.within,
        "sigma_overall": found.scatter.overall,
    }
    indices = dict(found.indices._asdict())
    if found.study is not None:
        indices = {"cm": found.study[0], "cmk": found.study[1]}
    for name, index in indices.items():
        told |= {name: index.value, f"{name}_low": index.low, f"{name}_high": index.high}
    told |= {"normality": found.shape.statistic, "normal_p": found.shape.probability}
    told |= {"quantiles": None if found.quantiles is None else found.quantiles._asdict(), "method": method(found)}
    return told


def method(found: Found) -> str:
    """Which index to go by, as records of class `capability` say it."""
    if found.shape.normal is not False:
        return "normal"
    return "unknown" if found.quantiles is None else "quantile"


def page(found: Sequence[Found]) -> str:
    """In words, a paragraph each."""
    return "\n\n".join(_paragraph(one) for one in found)


def _paragraph(found: Found) -> str:
    low, high = (_number(limit) for limit in (found.specification.lsl, found.specification.usl))
    of = found.scatter
    lines = [
        f"{found.path} {found.characteristic}: {of.number} values, {found.beyond} out of specification ({low} to {high}); mean {of.mean:.6g}, s {of.overall:.4g}"
    ]
    if found.study is not None:
        lines += [f"  {name} {_index(index)}" for name, index in zip(("Cm ", "Cmk"), found.study, strict=True)]
        if of.number < STUDY_MIN:
            lines.append(f"  a machine study has {STUDY_MIN} pieces in a row or more; these are {of.number}")
    else:
        lines += [f"  {name.capitalize():<4}{_index(index)}" for name, index in found.indices._asdict().items()]
    if (by := found.quantiles) is not None:
        lines.append(
            f"  by quantiles ({by.low:.5g}, {by.median:.5g}, {by.high:.5g}): Pp {_number(by.pp)}, Ppk {_number(by.ppk)}"
        )
    if found.shape.probability is not None:
        lines.append(f"  {_WORDS[method(found)]} (Anderson-Darling p = {found.shape.probability:.2g})")
    return "\n".join(lines)


_WORDS = {
    "normal": "nothing speaks against a normal distribution",
    "quantile": "not normal: go by the quantiles",
    "unknown": "not normal, and too few values for quantiles: take none of these for sure",
}


def _index(index: Index) -> str:
    if index.value is None:
        return "–"
    if index.low is None or index.high is None:
        return f"{index.value:.3f}"
    return f"{index.value:.3f} ({index.low:.3f} to {index.high:.3f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
