"""YAML with places: what a document says, and on which line it says it. Pure: text in, values and problems out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Where = tuple[str | int, ...]
"""Keys and indices from the top of the document."""

DEPTH_MAX = 64
"""Lists and mappings inside each other; a plant model needs 12."""
VALUES_MAX = 1_000_000
"""Values of a file with its aliases filled in; a plant of 1,000 machines has 60,000."""
_QUOTED_MAX = 60
"""Characters of a value that a message repeats."""
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML has it: ten times as fast, and the same lines."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file, and what to do about it."""

    file: str
    line: int
    message: str
    where: str = ""
    """Keys from the top of the model, dotted; empty for what concerns the whole file."""
    warning: bool = False
    """Whether the model can be used as it is; else it cannot."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'warning: ' if self.warning else ''}{self.message}"


@dataclass
class Document:
    """Values of one file, each with the line it stands on."""

    file: str
    value: Any = None
    lines: dict[Where, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, where: Where) -> int:
        """Line of a place, or of the nearest place around it that the file has."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read(file: str, text: str, environ: Mapping[str, str]) -> Document:
    """One YAML document with `${NAME}` and `${NAME:-default}` filled in from the environment. Raises nothing."""
    document = Document(file)
    if (stranger := yaml.reader.Reader.NON_PRINTABLE.search(text)) is not None:
        line = text.count("\n", 0, stranger.start()) + 1
        document.problems.append(Problem(file, line, f"not YAML: character {stranger[0]!r}"))
        return document
    try:
        if (deep := _too_deep(text)) is not None:
            document.problems.append(Problem(file, deep, _DEEP))
            return document
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        document.problems.append(Problem(file, mark.line + 1 if mark else 1, f"not YAML: {error.problem}"))
        return document
    if node is not None:
        document.value = _Reader(document, environ).value(node, ())
    return document


_DEEP = f"lists and mappings stand more than {DEPTH_MAX} deep inside each other here; a plant model never does"


def _too_deep(text: str) -> int | None:
    """Line on which something is nested too deeply. Raises `yaml.MarkedYAMLError`."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                mark: Any = event.start_mark
                return int(mark.line) + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


class _Reader:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document, self._environ = document, environ
        self._scalars = yaml.SafeLoader("")
        self._open: list[yaml.Node] = []
        self._values = 0

    def value(self, node: yaml.Node, where: Where) -> Any:
        self._document.lines.setdefault(where, node.start_mark.line + 1)
        self._values += 1
        if self._values >= VALUES_MAX:
            if self._values == VALUES_MAX:
                self._problem(node.start_mark.line + 1, f"with its aliases this file has more than {VALUES_MAX} values")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if any(node is outer for outer in self._open):
            self._problem(node.start_mark.line + 1, "an alias here refers to what it is part of")
            return None
        if len(self._open) >= DEPTH_MAX:  # by aliases of aliases: what is written is not so deep
            self._problem(node.start_mark.line + 1, _DEEP)
            return None
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, where)
            return [self.value(part, (*where, number)) for number, part in enumerate(node.value)]
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[Any, Any]:
        entries: dict[Any, Any] = {}
        inherited: list[yaml.Node] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                inherited += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(line, "a key is one word, not a list or a mapping")
                continue
            key = self._scalar(key_node)
            place = (*where, key)
            if key in entries:
                first = self._document.lines[place]
                self._problem(line, f"{key!r} stands here and on line {first}; one of them must go")
                continue
            self._document.lines.setdefault(place, line)
            entries[key] = self.value(value_node, place)
        for base in inherited:  # `<<: *anchor`: what stands here goes before what is inherited
            parts = self.value(base, where)
            if isinstance(parts, dict):
                entries = parts | entries
            else:
                self._problem(base.start_mark.line + 1, "`<<` takes in a mapping")
        return entries

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag == "tag:yaml.org,2002:str":
            return self._filled(node) if "${" in node.value else node.value
        line = node.start_mark.line + 1
        try:
            value = self._scalars.construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            self._problem(line, f"{node.value[:_QUOTED_MAX]!r} cannot be read: {error.problem}")
        except (yaml.YAMLError, ValueError) as error:
            self._problem(line, f"{node.value[:_QUOTED_MAX]!r} cannot be read: {error}")
        else:
            if not isinstance(value, int) or value.bit_length() <= 64:
                return value
            self._problem(line, f"{node.value[:_QUOTED_MAX]!r} cannot be read: a number of at most 64 bits is possible")
        return None

    def _filled(self, node: yaml.Node) -> str:
        def fill(match: re.Match[str]) -> str:
            name, default = match[1], match[2]
            if name in self._environ:
                return self._environ[name]
            if default is None:
                self._problem(
                    node.start_mark.line + 1,
                    f"${{{name}}} is not set in the environment; set it, or write ${{{name}:-default}}",
                )
                return ""
            return default

        return _VARIABLE.sub(fill, str(node.value))

    def _problem(self, line: int, message: str) -> None:
        self._document.problems.append(Problem(self._document.file, line, message))
