"""YAML that people will edit: plain where it can be, quoted where it must, and a remark behind what was found. Pure."""

import math
import re

import yaml

from connectors.base import Found

REMARK_MAX = 100
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(?: [A-Za-z0-9_.-]+)*", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What YAML takes for something else than text."""


def text(value: str) -> str:
    """A text as a value."""
    return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=math.inf)).rstrip("\n")


def mapping(key: str, value: str) -> str:
    """An entry whose value is YAML already."""
    plain = _PLAIN.fullmatch(key) and key.lower() not in _WORDS
    return f"{key if plain else text(key)}: {value}"


def remark(found: Found) -> str:
    """What is known of it, as a comment behind its line; empty where nothing is."""
    sample = "" if found.sample is None else f"now {found.sample!r}"
    known = [one for one in (found.type, found.unit or "", sample, found.description) if one]
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in ", ".join(known)).split())
    return f" # {line[:REMARK_MAX]}" if line else ""
