"""Every command, option and example that a help, a hint or a page names is one there is."""

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from processors.output.identity import parse
from schemas.records import FACT_TYPES, TYPES
from schemas.text import from_plain
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path as Place
from uns.cli.app import app
from uns.cli.facts import natural_id_of
from uns.cli.quality import checked_name
from uns.cli.times import day, span_s
from uns.errors import UserError

ROOT = Path(__file__).parents[4]
PACKAGES = ("uns", "topology", "connectors", "sinks", "schemas", "processors")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs").glob("tutorials/*.md")),
]
COMMAND: Any = get_command(app)


def texts() -> Iterator[tuple[str, str]]:
    """(where, text) of every string of the code, f-strings with … for what they fill in, and every page."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            name = file.relative_to(ROOT)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                where = f"{name}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                    yield where, "".join(map(str, parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield where, node.value
    for page in PAGES:
        yield page.name, page.read_text(encoding="utf-8")


def named() -> Iterator[tuple[str, list[str]]]:
    """(where, words after `uns`) of every command that is named in backticks, or stands at the begin of a line."""
    for where, text in texts():
        for told in (*re.findall(r"`uns ([a-z][^`]*)`", text), *re.findall(r"^ *uns ([a-z].*)$", text, re.MULTILINE)):
            if "…" in told or "{" in told:
                told = re.split(r"[…{]", told)[0]  # the rest is filled in, or prose
            try:
                yield where, [word for word in shlex.split(told, comments=True) if "[" not in word and "]" not in word]
            except ValueError:
                yield where, told.split()


def problem(words: list[str]) -> str | None:
    """What is not there of a command line: the command, or one of its options."""
    command, left = COMMAND, list(words)
    while hasattr(command, "commands"):
        if not left or not re.fullmatch(r"[a-z]+", left[0]):
            return None
        if left[0] not in command.commands:
            return f"no command {left[0]!r}"
        command = command.commands[left.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [
        word for word in left if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options | {"--help"}
    ]
    return f"no option {unknown[0]}" if unknown else None


def test_every_command_that_is_named_is_one() -> None:
    commands = list(named())
    assert len(commands) > 100
    assert [(where, *words, said) for where, words in commands if (said := problem(words))] == []
    assert problem(["tial", "#"]) == "no command 'tial'"
    assert problem(["kpi", "compare", "oee", "#", "--frm", "8h"]) == "no option --frm"


def parameters(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """(command, parameter, help) of every parameter."""
    for parameter in command.params:
        if getattr(parameter, "help", None):
            yield " ".join(words), parameter.name, parameter.help
    for name, inner in getattr(command, "commands", {}).items():
        yield from parameters(inner, (*words, name))


def _fact(text: str) -> object:
    record = from_plain(json.loads(text))
    assert isinstance(record, FACT_TYPES)
    return record


def _definition_kpi(text: str) -> None:
    from topology.kpi.definition import shipped

    assert any(text in definition.kpis for definition in shipped().values())


def _audited(text: str) -> None:
    from uns.history.audit.subject import kind_of

    kind_of(text)


def _subject(text: str) -> None:
    from schemas.catalog import sources

    assert text in sources()


def _option(text: str) -> None:
    from connectors.opcua.config import OpcUaConfig
    from uns.model.inventory import config_of

    config = config_of("opcua", "opc.tcp://plc:4840", [text])
    assert config.keys() <= OpcUaConfig.model_fields.keys()


def _span(text: str) -> float:
    return span_s("--x", text)


READERS: dict[str, Callable[[str], object]] = {
    "filters": Filter.parse,
    "wanted": Filter.parse,
    "classes": MessageClass,
    "begin": _span,
    "until": _span,
    "back": _span,
    "when": _span,
    "first": _span,
    "known_at": _span,
    "records": TYPES.__getitem__,
    "horizon": _span,
    "for_": _span,
    "day": lambda text: day("--day", text),
    "alert": lambda text: parse(natural_id_of(text)),
    "fact": _fact,
    "path": Place.parse,
    "line": Place.parse,
    "kpi_id": _definition_kpi,
    "message_class": _audited,
    "subject": _subject,
    "record": TYPES.__getitem__,
    "options": _option,
    "name": checked_name,
    "nest": lambda text: text.split(","),
    "unit": str,
}
"""Parameter → what reads its examples; raises for what is none."""
ON_ONE_DAY = {("shifts", "begin")}


def examples(told: str) -> list[str]:
    """What stands after `e.g.` in a help: JSON, something quoted, or words up to the next of prose."""
    text = told.partition("e.g. ")[2]
    if text.startswith("{"):
        return [text[: text.rindex("}") + 1]]
    if text.startswith("'"):
        return [text.split("'")[1]]
    first = re.split(r"[;(]|: ", text)[0] if " or " in text or ", " in text else re.split(r"[; ]", text)[0]
    return [
        word.strip(" )") for word in re.split(r", | or ", first) if word.strip(" )") and " " not in word.strip(" )")
    ]


def test_every_example_of_a_help_is_what_the_command_takes() -> None:
    read = 0
    for command, parameter, told in parameters(COMMAND):
        if "e.g. " not in told:
            continue
        reader = READERS["day"] if (command, parameter) in ON_ONE_DAY else READERS[parameter]
        found = examples(told)
        assert found, (command, parameter, told)
        for example in found:
            try:
                reader(example)
            except Exception as error:
                pytest.fail(f"uns {command}, {parameter}: {example!r}: {error}")
            read += 1
    assert read > 25


@pytest.mark.parametrize("text", ["acme/x", "acme/dallas/packaging/line-1/packer#alert-breakdown@2026~x", "#alert", ""])
def test_what_is_no_alert_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(UserError, match="no alert's id") as refused:
        natural_id_of(text)
    shown = str(refused.value).rpartition("look like ")[2]
    assert natural_id_of(f"{shown}:3") == shown
