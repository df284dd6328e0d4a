"""KPI definitions for people: those that are shipped and a plant's own, where each is from, and how it reads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topology.document import Problem, read
from topology.kpi.definition import Decision, Definition, KpiFormula, MicroStop, When, shipped
from topology.model.loader import PlantError, build_definition, load_definitions
from topology.nearest import hint
from uns.errors import UserError
from uns.model.lint import check


@dataclass(frozen=True)
class KnownDefinition:
    """A definition and where it is from."""

    definition: Definition
    origin: str
    """`shipped`, or file:line."""


def known(folder: Path, environ: Mapping[str, str]) -> dict[str, KnownDefinition]:
    """Label → definition; the plant's own too where there is a plant. Raises `UserError`."""
    definitions = {label: KnownDefinition(definition, "shipped") for label, definition in shipped().items()}
    if not folder.exists():
        return definitions
    try:
        own, sources = load_definitions(folder, environ)
    except PlantError as error:
        raise UserError(str(error)) from error
    for label, definition in own.items():
        definitions.setdefault(label, KnownDefinition(definition, sources.stands(("kpi_definitions", label))))
    return definitions


def select(definitions: Mapping[str, KnownDefinition], name: str) -> KnownDefinition:
    """By label, or by name alone: its highest version. Raises `UserError`."""
    named = [known for label, known in definitions.items() if name in (label, known.definition.name)]
    if not named:
        raise UserError(f"KPI definition {name!r} is not known; {hint(name, definitions)}")
    return max(named, key=lambda known: known.definition.version)


def select_kpi(definition: Definition, name: str) -> KpiFormula:
    """Raises `UserError`."""
    if name not in definition.kpis:
        raise UserError(f"{definition.label} has no KPI {name!r}; {hint(name, definition.kpis)}")
    return definition.kpis[name]


def lint(path: Path, environ: Mapping[str, str]) -> list[Problem]:
    """Problems with KPIs: of a plant folder, or of a file that is one definition. Unreadable files are problems too."""
    if path.is_file():
        try:
            document = read(str(path), path.read_text(encoding="utf-8"), environ)
        except (OSError, UnicodeDecodeError) as error:
            return [Problem(str(path), 1, f"cannot be read: {error}")]
        if document.problems or (isinstance(document.value, dict) and "time_model" in document.value):
            try:
                build_definition(document)
            except PlantError as refused:
                return list(refused.problems)
            return []
    problems, _ = check(path, environ)
    return [
        problem
        for problem in problems
        if not problem.where or re.search(r"^kpi(_definitions)?\b|\.kpis\b", problem.where)
    ]


def summary(known: KnownDefinition) -> dict[str, Any]:
    """What `uns kpi list` says of a definition."""
    definition = known.definition
    return {
        "definition": definition.label,
        "origin": known.origin,
        "kpis": len(definition.kpis),
        "fingerprint": definition.fingerprint,
        "description": " ".join(definition.description.split()),
    }


def text(known: KnownDefinition) -> str:
    """A definition as a page to read."""
    definition = known.definition
    lines = [f"{definition.label}  ({known.origin}, fingerprint {definition.fingerprint})"]
    lines += ["", " ".join(definition.description.split()), "", "Time elements"]
    lines += _table([(name, part.loss, part.description) for name, part in definition.elements.items()])
    lines += ["", "Time model (the first rule that holds decides)"]
    if not definition.plans:
        lines += _table([("planned: unplanned", "unplanned"), ("planned: break", "PDOT")])
    lines += _table([(condition(rule.when), rule.element) for rule in definition.time_model])
    if definition.totals:
        lines += ["", "Totals", *_table([(name, "=", formula) for name, formula in definition.totals.items()])]
    lines += ["", "Options", *_table([(name, _option(value)) for name, value in definition.options])]
    if definition.kpis:
        rows = [(name, "=", kpi.formula, kpi.unit, kpi.name) for name, kpi in definition.kpis.items()]
        lines += ["", "KPIs", *_table(rows)]
    return "\n".join(lines)


def kpi_text(name: str, kpi: KpiFormula) -> str:
    """The record of one KPI."""
    fields = {**kpi.model_dump(exclude={"lower", "upper", "name"}), "range": f"{_end(kpi.lower)} … {_end(kpi.upper)}"}
    rows = [
        (key, ", ".join(value) if isinstance(value, tuple) else str(value)) for key, value in fields.items() if value
    ]
    return "\n".join([f"{name}: {kpi.name}", *_table(rows)])


def _end(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _option(value: Any) -> str:
    if hasattr(value, "model_dump"):
        return ", ".join(f"{key} {part}" for key, part in value.model_dump().items())
    return "none" if value is None else str(value)


def condition(when: When) -> str:
    """A rule's condition in words."""
    parts = [
        f"{key}: {', '.join(value) if isinstance(value, tuple) else 'yes' if value else 'no'}"
        for key, value in when
        if value is not None
    ]
    return "; ".join(parts) or "else"


def decided_by(decision: Decision) -> str:
    """What decided that time counts as an element, in words."""
    match decision.by:
        case MicroStop() as micro:
            sign = "≤" if micro.inclusive else "<"
            which = ", without reason" if micro.only_without_reason else ""
            return f"micro stop: {sign} {micro.below_s:g} s{which}"
        case When() as when:
            return condition(when)
        case "not_observed":
            return "nobody listened, or no state was known yet"
        case planned:
            return f"planned: {planned}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
