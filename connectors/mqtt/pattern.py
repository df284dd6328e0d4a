"""Patterns of topics with named parts, and templates that the parts fill. Pure."""

import re
from collections.abc import Callable, Mapping

from topology.namespace.path import BadPath

TOPIC_MAX = 2_000
"""Characters of a topic that is compared with a pattern: the work of two `+` parts grows with its square."""
_PART = re.compile(r"\{(?P<name>[a-z][a-z0-9_]*)(?:(?P<many>[+*])|:(?P<rule>(?:[^{}/]|\{[^{}/]*\})+))?\}")
_SHARE = re.compile(r"\$share/[^/+#]+/(?=.)")
_FILLED = re.compile(r"\{(\w+)\}")
NUMBER = re.compile(r"[0-9]+")


class Pattern:
    """A topic filter in which levels may have names: `{site}` is one level, `{tag+}` one or more, `{tag*}` none or more,
    `{line:L[0-9]+}` one whose text fits a regular expression, `press-{n}` a part of one. Raises `ValueError`."""

    def __init__(self, text: str) -> None:
        self.text = text
        share = _SHARE.match(text)
        self._share = share[0] if share else ""
        if text.startswith("$share") and not share:
            raise ValueError(f"{text!r} is no shared subscription; $share/group/topic is expected")
        self._plain = text[len(self._share) :]
        self._levels = self._plain.split("/")
        self.names = tuple(part["name"] for part in _PART.finditer(self._plain))
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"{text!r} has two parts of one name")
        self.filter = self._share + self._filter()
        self._inner: dict[str, re.Pattern[str]] = {}
        """Levels that have a rule, or a name for a part of them; by the group of the whole level."""
        self._regex = re.compile(self._expression(), re.DOTALL)

    @property
    def open_ended(self) -> bool:
        """Whether a topic may have more levels than the pattern."""
        return self._levels[-1] == "#" or any(part["many"] for part in _PART.finditer(self._plain))

    def has_level(self, number: int) -> bool:
        return self.open_ended or number < len(self._levels)

    def match(self, topic: str) -> Mapping[str, str] | None:
        """The text of each named part; None: the pattern does not fit the topic."""
        if self.names and len(topic) > TOPIC_MAX:
            return None
        found = self._regex.fullmatch(topic)
        if found is None:
            return None
        parts = found.groupdict(default="")
        for group, rule in self._inner.items():
            inner = rule.fullmatch(parts.pop(group))
            if inner is None:
                return None
            parts |= inner.groupdict()
        return parts

    def _filter(self) -> str:
        """What the broker is asked for: it knows neither names nor rules."""
        levels: list[str] = []
        for place, level in enumerate(self._levels):
            part = _PART.fullmatch(level)
            if part and part["many"]:
                return "/".join([*levels, "#"])
            if "{" not in level:
                if level not in ("+", "#") and ("+" in level or "#" in level):
                    raise self._bad("+ and # stand for whole levels")
                if level == "#" and place < len(self._levels) - 1:
                    raise self._bad("# is the last level")
                levels.append(level)
            elif {"{", "}", "+", "#"} & set(_PART.sub("", level)) or any(p["many"] for p in _PART.finditer(level)):
                raise self._bad("a named part is {name}, {name+}, {name*} (both a whole level) or {name:expression}")
            else:
                levels.append("+")
        if not self._plain:
            raise self._bad("it is empty")
        return "/".join(levels)

    def _expression(self) -> str:
        """The pattern as a regular expression. Topics that begin with $ are for those who say so."""
        made = "(?!\\$)" if self.filter[len(self._share) :][:1] in ("+", "#") else ""
        for place, level in enumerate(self._levels):
            slash = "/" if place else ""
            part = _PART.fullmatch(level)
            if level == "#":
                made += "(?:/.*)?" if place else ".*"
            elif part and part["many"]:
                if part["many"] == "*" and not place:
                    raise self._bad("{name*} needs a level before it")
                levels = rf"(?P<{part['name']}>[^/]*(?:/[^/]*)*?)"
                made += f"(?:/{levels})?" if part["many"] == "*" else slash + levels
            elif level == "+":
                made += slash + "[^/]*"
            elif "{" in level:
                self._inner[group := f"_{place}"] = self._rule(level)
                made += slash + f"(?P<{group}>[^/]*)"
            else:
                made += slash + re.escape(level)
        return made

    def _rule(self, level: str) -> re.Pattern[str]:
        """Compared with the text of one level alone: no rule reaches beyond it."""
        made, end = "", 0
        for part in _PART.finditer(level):
            rule = part["rule"] or ".*"
            try:
                inner = re.compile(rule)
            except re.error as error:
                raise self._bad(f"{rule!r} is no regular expression: {error}") from None
            if inner.groups:
                raise self._bad(f"{rule!r}: groups are written (?:…)")
            made += re.escape(level[end : part.start()]) + f"(?P<{part['name']}>{rule})"
            end = part.end()
        return re.compile(made + re.escape(level[end:]), re.DOTALL)

    def _bad(self, why: str) -> ValueError:
        return ValueError(f"{self.text!r} is no MQTT topic filter: {why}")


class Template:
    """A text with {name} for a named part of a pattern, {n} for the n-th level of a topic. Raises `ValueError`."""

    def __init__(self, text: str, pattern: Pattern, joint: str) -> None:
        """`joint` stands between the levels of a part that has several."""
        self.text, self._joint = text, joint
        self._places = _FILLED.findall(text)
        for place in self._places:
            if NUMBER.fullmatch(place):
                if not pattern.has_level(int(place)):
                    raise ValueError(f"{text!r}: topic {pattern.text!r} has no level {place}, they count from 0")
            elif place not in pattern.names:
                have = ", ".join(pattern.names) or "none"
                raise ValueError(f"{text!r}: topic {pattern.text!r} names no {place}; its names: {have}")

    def __bool__(self) -> bool:
        return bool(self._places)

    def filled(self, topic: str, parts: Mapping[str, str], spell: Callable[[str], str] = str) -> str:
        """Raises `BadPath` for a level that the topic does not have."""
        levels = topic.split("/")

        def part(found: re.Match[str]) -> str:
            name = found[1]
            if not NUMBER.fullmatch(name):
                return self._joint.join(spell(level) for level in parts[name].split("/"))
            if int(name) >= len(levels):
                raise BadPath(f"topic {topic[:200]!r} has no level {name}")
            return spell(levels[int(name)])

        return _FILLED.sub(part, self.text)
