"""What one part of a plant model says of another: names that are not there, words that nothing counts. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from topology.document import Problem, Where
from topology.kpi.check import Fault
from topology.kpi.definition import Definition
from topology.model.alarm_check import alarm_faults
from topology.model.explain import explain
from topology.model.kpis import definitions, invalid, plant_faults, selected
from topology.model.pilot_check import pilot_faults
from topology.model.plant import Plant
from topology.model.shaping import TagRule
from topology.model.sources import Sources, dotted
from topology.model.tags import CountTag, ModeTag
from topology.namespace.path import Level
from topology.nearest import hint, misspelt
from topology.vocabulary import CATEGORIES, MODES


def written_problems(merged: Mapping[str, Any], sources: Sources) -> list[Problem]:
    """Problems of what was written, whether or not it is a model, so that they are told beside others."""
    faults = [*_cell_types(merged), *plant_faults(merged, sources.stands)]
    problems = _problems(faults, sources)
    for label, error in invalid(merged):
        problems += explain(error, ("kpi_definitions", label), sources, Definition)
    return problems


def model_problems(plant: Plant, sources: Sources) -> list[Problem]:
    """Problems of a model whose every part is right by itself."""
    faults = [
        *_calendars(plant),
        *_bottlenecks(plant),
        *pilot_faults(plant, definitions(plant)),
        *_misspelt_words(plant),
        *_misspelt_tags(plant),
        *_rules_of_tags(plant),
        *alarm_faults(plant),
    ]
    return _problems(faults, sources)


def remarks(plant: Plant, sources: Sources) -> list[Problem]:
    """Warnings: words of the plant's own by which nothing is decided. Each once, where it is first written."""
    definition = selected(plant)
    known_modes, known_categories = {*MODES, *_modes_of(definition)}, {*CATEGORIES, *_categories_of(definition)}
    seen: set[tuple[str, str]] = set()
    warnings = []
    for kind, word, where in _own_words(plant):
        known = known_modes if kind == "mode" else known_categories
        if word in known or (kind, word) in seen or not sources.wrote(where):
            continue
        seen.add((kind, word))
        effect = "its time counts as any stop" if kind == "mode" else "it is shown, and decides nothing"
        message = f"{dotted(where)}: no rule of {definition.label} names the {kind} {word!r}: {effect}"
        warnings.append(sources.problem(where, message, warning=True))
    return warnings


def _problems(faults: Iterable[Fault], sources: Sources) -> list[Problem]:
    return [sources.problem(where, f"{dotted(where)}: {words}") for where, words in faults]


def _cell_types(merged: Mapping[str, Any]) -> Iterator[Fault]:
    types = merged.get("types")
    known = list(types) if isinstance(types, dict) else []
    hints: dict[str, str] = {}
    for where, cell in _cells(merged.get("namespace")):
        name = cell.get("type") if isinstance(cell, dict) else cell
        if isinstance(name, str) and name not in known:
            if name not in hints:
                hints[name] = hint(name, known)
            yield where, f"equipment type {name!r} is not defined; {hints[name]}"


def _calendars(plant: Plant) -> Iterator[Fault]:
    """A line has one calendar at most, and a calendar at least one line."""
    used = set()
    for line in dict.fromkeys(path.at(Level.LINE) for path in plant.cells()):
        names = plant.calendars_of(line)
        used.update(names)
        if len(names) > 1:
            words = f"{line} is in the calendars {' and '.join(names)}; narrow a filter: a line has one"
            yield ("shifts", names[1], "filter"), words
    for name in plant.shifts.keys() - used:
        text = plant.shifts[name].filter
        yield ("shifts", name, "filter"), f"{text!r} names no line; a filter over lines looks like acme/dallas/#"


def _bottlenecks(plant: Plant) -> Iterator[Fault]:
    """A line whose numbers are its bottleneck's needs one that counts."""
    for site, areas in plant.namespace.sites.items():
        for area, lines in areas.areas.items():
            for name, line in lines.lines.items():
                if line.kpi_rule != "bottleneck" or line.bottleneck is None:
                    continue
                if plant.types[line.cells[line.bottleneck].type].tag("good_count") is None:
                    words = (
                        f"{line.bottleneck} counts no pieces (its type has no tag of role good_count); "
                        "name one that does, or take kpi_rule end_of_line"
                    )
                    yield ("namespace", "sites", site, "areas", area, "lines", name, "bottleneck"), words


def _misspelt_words(plant: Plant) -> Iterator[Fault]:
    """A type's own word that is another spelling of one that the plant's definition names."""
    definition = selected(plant)
    named = {"mode": _modes_of(definition), "category": _categories_of(definition)}
    for kind, word, where in _own_words(plant):
        if (meant := misspelt(word, named[kind])) is not None:
            yield where, f"{kind} {word!r} is not known; {definition.label} counts {meant!r}: write that"


def _misspelt_tags(plant: Plant) -> Iterator[Fault]:
    """A tag of a connector that is another spelling of one that a type has. Tags that no type has are carried, too."""
    known = list(dict.fromkeys(tag for model in plant.types.values() for tag in model.tags))
    for name, connector in plant.connectors.items():
        named: list[tuple[Where, str | None]] = [
            *((("suppress", "deadband", tag), tag) for tag in connector.suppress.deadband),
            *((("tags", n, "name"), rule.name) for n, rule in enumerate(connector.tags)),
            *((("derived", n, "tag"), one.tag) for n, one in enumerate(connector.derived)),
        ]
        for where, tag in named:
            if tag is not None and (meant := misspelt(tag, known)) is not None:
                yield ("connectors", name, *where), f"no type has the tag; did you mean {meant!r}?"


def _rules_of_tags(plant: Plant) -> Iterator[Fault]:
    """A rule of a connector for a type that is not there, and one that thins out what must not be."""
    for name, connector in plant.connectors.items():
        for kind, rules in (("tags", connector.tags), ("derived", connector.derived)):
            for n, one in enumerate(rules):
                if one.type is not None and one.type not in plant.types:
                    yield (
                        ("connectors", name, kind, n, "type"),
                        f"type {one.type!r} is not known; {hint(one.type, plant.types)}",
                    )
        for n, rule in enumerate(connector.tags):
            if rule.every_s is not None and (tag := _each_counts(plant, rule)) is not None:
                yield (
                    ("connectors", name, "tags", n, "every_s"),
                    f"it holds back values of {tag}, of which each one counts; give its tag a rule of its own before this one",
                )


def _each_counts(plant: Plant, rule: TagRule) -> str | None:
    """A tag that a rule is for, and that tells states, modes, reasons or amounts."""
    for name, model in plant.types.items():
        for tag, spec in model.tags.items() if rule.type in (None, name) else ():
            meant = rule.name == tag or (rule.name is None and fnmatchcase(tag, rule.tag))
            amount = isinstance(spec, CountTag) and spec.counts == "increments"
            if meant and (spec.role in ("state", "mode", "reason") or amount):
                return f"{tag} of type {name}"
    return None


def _own_words(plant: Plant) -> Iterator[tuple[str, str, Where]]:
    """(kind, word, place) of every mode and category that a type uses."""
    for name, model in plant.types.items():
        for tag, spec in model.tags.items():
            if isinstance(spec, ModeTag):
                for code, word in spec.map.items():
                    yield "mode", word, ("types", name, "tags", tag, "map", code)
        for number, reason in model.reasons.items():
            yield "category", reason.category, ("types", name, "reasons", number, "category")


def _modes_of(definition: Definition) -> list[str]:
    named = {word for rule in definition.time_model for word in rule.when.mode or ()}
    start_up = definition.options.start_up
    return sorted(named | set(start_up.modes if start_up is not None else ()))


def _categories_of(definition: Definition) -> list[str]:
    return sorted({word for rule in definition.time_model for word in rule.when.reason or ()})


def _cells(namespace: Any) -> Iterator[tuple[Where, Any]]:
    for site, sites in _items(namespace, "sites"):
        for area, areas in _items(sites, "areas"):
            for line, lines in _items(areas, "lines"):
                for cell, model in _items(lines, "cells"):
                    yield ("namespace", "sites", site, "areas", area, "lines", line, "cells", cell), model


def _items(value: Any, key: str) -> list[tuple[Any, Any]]:
    part = value.get(key) if isinstance(value, dict) else None
    return list(part.items()) if isinstance(part, dict) else []
