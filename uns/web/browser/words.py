"""Names of tags and what people type, as words; abbreviations of the trade beside what they stand for. Pure."""

import re
from itertools import pairwise

_RUNS = re.compile(r"\d+|[^\W\d_]+")
"""Digits, and letters of whatever alphabet."""

ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "act": ("actual",),
    "alm": ("alarm",),
    "amp": ("ampere", "current"),
    "avg": ("average",),
    "cmd": ("command",),
    "cnt": ("count", "counter"),
    "cur": ("current",),
    "curr": ("current",),
    "cyc": ("cycle",),
    "dia": ("diameter",),
    "flt": ("fault",),
    "freq": ("frequency",),
    "hum": ("humidity",),
    "hyd": ("hydraulic",),
    "len": ("length",),
    "lvl": ("level",),
    "max": ("maximum",),
    "min": ("minimum",),
    "mtr": ("motor",),
    "nok": ("scrap", "reject"),
    "ok": ("good",),
    "ord": ("order",),
    "pos": ("position",),
    "pres": ("pressure",),
    "press": ("pressure",),
    "prod": ("product", "production"),
    "pv": ("actual", "value"),
    "pwr": ("power",),
    "qty": ("quantity",),
    "rej": ("reject",),
    "rh": ("humidity",),
    "rpm": ("speed",),
    "set": ("setpoint",),
    "sp": ("setpoint",),
    "spd": ("speed",),
    "sts": ("status",),
    "temp": ("temperature",),
    "tmp": ("temperature",),
    "tot": ("total",),
    "trq": ("torque",),
    "vac": ("vacuum",),
    "vel": ("velocity",),
    "vib": ("vibration",),
    "vlv": ("valve",),
    "vol": ("volume",),
    "volt": ("voltage",),
    "wgt": ("weight",),
    "wt": ("weight",),
}
_SHORT: dict[str, tuple[str, ...]] = {}
for _abbreviation, _meant in ABBREVIATIONS.items():
    for _word in _meant:
        _SHORT[_word] = (*_SHORT.get(_word, ()), _abbreviation)


def words(text: str) -> tuple[str, ...]:
    """The words of a name, in lower case, each once; of a number with leading zeros also the number."""
    found: dict[str, None] = {}
    for word in (part.lower() for run in _RUNS.findall(text) for part in _humps(run)):
        found[word] = None
        if word[0] == "0" and word.isdigit() and (bare := word.lstrip("0")):
            found[bare] = None
    return tuple(found)


def _humps(run: str) -> list[str]:
    """`FillVolume` and `HTTPStatus` cut where a new word begins: at a capital after a small letter, and at the last of
    several capitals before a small one."""
    if run.islower() or run.isupper() or run.isdigit():
        return [run]
    begins = [
        i
        for i in range(1, len(run))
        if run[i].isupper() and (not run[i - 1].isupper() or (i + 1 < len(run) and not run[i + 1].isupper()))
    ]
    return [run[i:j] for i, j in pairwise([0, *begins, len(run)])]


def related(word: str) -> tuple[str, ...]:
    """What an abbreviation stands for, how a word is abbreviated, and other abbreviations of the same."""
    meant = ABBREVIATIONS.get(word, ())
    return (*meant, *(short for long in (*meant, word) for short in _SHORT.get(long, ()) if short != word))


def trigrams(word: str) -> frozenset[str]:
    """Three letters in a row each, the borders included: of one letter there are two."""
    padded = f"  {word} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Dice's coefficient, 0 to 1."""
    return 2 * len(one & other) / (len(one) + len(other))
