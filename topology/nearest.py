"""Did you mean …? The one place that says which known word is nearest to one that is not known. Pure."""

import difflib
from collections.abc import Iterable

_SHOWN_MAX = 40
"""Known words that a hint lists; more would bury the message."""
_COMPARED_MAX = 5_000
"""Known words that are compared letter by letter; beyond, only other spellings (case, `_` for `-`) are found."""
_SLIP = 0.77
"""Likeness from which a word counts as a slip of the pen: one letter of five, two of nine."""


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for; None where nothing is like it."""
    return _nearest(str(word), list(known), cutoff=0.6)


def misspelt(word: str, known: Iterable[str]) -> str | None:
    """The known word of which this is another spelling: other case, a letter or two wrong. None: a word of its own.

    A prefix makes another word (`planned`, `unplanned`), not another spelling.
    """
    words = list(known)
    if word in words:
        return None
    close = _nearest(word, words, cutoff=_SLIP)
    if close is None or (word.endswith(close) and word[: -len(close)].isalpha()):
        return None
    return close


def hint(word: object, known: Iterable[str], empty: str = "none") -> str:
    """`did you mean 'x'?`, or what there is; `empty` where there is nothing."""
    words = list(known)
    close = nearest(word, words)
    return f"did you mean {close!r}?" if close is not None else f"there are {listed(words, empty)}"


def listed(known: Iterable[str], empty: str = "none") -> str:
    """Words with commas between, the first of them where there are many."""
    words = list(known)
    more = f", … ({len(words)})" if len(words) > _SHOWN_MAX else ""
    return (", ".join(words[:_SHOWN_MAX]) or empty) + more


def _nearest(word: str, known: list[str], cutoff: float) -> str | None:
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(_folded(one), one)
    wanted = _folded(word)
    if wanted in folded:
        return folded[wanted]
    if len(folded) > _COMPARED_MAX:
        return None
    swapped = [other for other in folded if len(other) == len(wanted) and sorted(other) == sorted(wanted)]
    close = swapped or difflib.get_close_matches(wanted, folded, 1, cutoff)
    return folded[close[0]] if close else None


def _folded(word: str) -> str:
    return word.strip().casefold().replace("_", "-").replace(" ", "-")
