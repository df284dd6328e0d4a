"""What is wrong with a definition, and what binds a site. Pure."""

from collections.abc import Iterator, Mapping

from topology.document import Where
from topology.kpi.definition import Definition, KpiFormula, shipped
from topology.kpi.formula import parse
from topology.kpi.values import CONSTANTS, COUNTS, PER_PRODUCT, QUANTITIES, TIMES
from topology.nearest import hint

Fault = tuple[Where, str]
_GIVEN = {*CONSTANTS, *PER_PRODUCT, *QUANTITIES, *TIMES}


def faults(definition: Definition) -> list[Fault]:
    """Unknown names, cycles, names with two meanings, a broken seal; each at its place within the definition."""
    found: list[Fault] = []
    taken = set(_GIVEN)
    for kind, names in (("elements", definition.elements), ("totals", definition.totals), ("kpis", definition.kpis)):
        found += [((kind, name), f"{name!r} means something else already") for name in names if name in taken]
        taken |= set(names)
    for name, text in definition.totals.items():
        found += _names(definition, ("totals", name), text, {*definition.totals})
    found += _kpi_faults(definition, definition.kpis, {*definition.totals, *definition.kpis}, "kpis")
    texts = {**definition.totals, **{name: kpi.formula for name, kpi in definition.kpis.items()}}
    found += [(_at(definition, name), words) for name, words in _cycles(texts)]
    if definition.seal is not None and definition.seal != definition.fingerprint:
        words = f"{definition.label} was changed after it was sealed ({definition.seal}); a change is a new version"
        found.append((("seal",), f"{words} (fingerprint now: {definition.fingerprint})"))
    return found


def site_faults(definition: Definition, added: Mapping[str, KpiFormula]) -> list[Fault]:
    """What is wrong with the KPIs that a site adds, but for the names that the definition has: those are the caller's."""
    own = {name: kpi for name, kpi in added.items() if name not in definition.kpis}
    known = {*definition.totals, *definition.kpis, *own}
    taken = {*definition.elements, *definition.totals, *_GIVEN}
    found: list[Fault] = [((name,), f"{name!r} means something else already") for name in own if name in taken]
    found += _kpi_faults(definition, own, known, None)
    found += [((name, "formula"), words) for name, words in _cycles({name: kpi.formula for name, kpi in own.items()})]
    return found


def changed_as_shipped(definition: Definition) -> bool:
    """Whether this has the label of a shipped definition and other content."""
    same = shipped().get(definition.label)
    return same is not None and same.fingerprint != definition.fingerprint


def _at(definition: Definition, name: str) -> Where:
    return ("totals", name) if name in definition.totals else ("kpis", name, "formula")


def _kpi_faults(
    definition: Definition, kpis: Mapping[str, KpiFormula], known: set[str], top: str | None
) -> Iterator[Fault]:
    for name, kpi in kpis.items():
        where: Where = (name, "formula") if top is None else (top, name, "formula")
        yield from _names(definition, where, kpi.formula, known)


def _names(definition: Definition, where: Where, text: str, known: set[str]) -> Iterator[Fault]:
    formula = parse(text)
    outside = {*definition.elements, *known, *CONSTANTS, *COUNTS, *QUANTITIES, *TIMES}
    for name in sorted(formula.names - outside):
        if name in PER_PRODUCT:
            yield where, f"{name} differs from product to product; write sum({name} * …)"
        else:
            yield where, f"{name!r} is not known; {hint(name, sorted(outside))}"
    inside = {*PER_PRODUCT, *CONSTANTS}
    for name in sorted(formula.summed - inside):
        yield where, f"{name!r} is not known of a product; {hint(name, sorted(inside))}"


def _cycles(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each cycle once, at the first of its names."""
    done: set[str] = set()
    for start in texts:
        trail: list[str] = []
        yield from _walk(start, texts, trail, done)


def _walk(name: str, texts: Mapping[str, str], trail: list[str], done: set[str]) -> Iterator[tuple[str, str]]:
    if name in trail:
        circle = trail[trail.index(name) :]
        yield circle[0], f"rests on itself: {' → '.join([*circle, name])}"
        return
    if name in done or name not in texts:
        return
    trail.append(name)
    for used in sorted(parse(texts[name]).names):
        yield from _walk(used, texts, trail, done)
    trail.pop()
    done.add(name)
