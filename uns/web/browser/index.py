"""Every tag by its words: which tags people may mean by what they type, the likeliest first. Pure, and bounded.

Per tag it keeps some hundred bytes (names are shared), a number in the list of each of its words, and nothing of its
values. A search looks at words first, which are few, and at tags last.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import lru_cache
from heapq import nsmallest
from typing import NamedTuple

from uns.web.browser.words import likeness, related, trigrams, words

TAGS_MAX = 250_000
WORDS_MAX = 8
"""Of what is typed; further ones are not looked at."""
WORD_MAX = 40
LIKE_MIN = 0.45
"""Likeness from which a word may be a slip of another."""
LIKE_WORDS_MAX = 20
INSIDE_MIN = 2
"""Letters from which a word is looked for inside others."""
MANY = 1_000
"""A word that so many tags have is kept as bits, too: at 100,000 tags there are at most some hundred such words, of 12 KB each."""
DEAD_SHARE = 0.25
"""So many of the numbers may be of tags that are gone, before all are given anew."""


class Entry(NamedTuple):
    """One tag."""

    path: str
    tag: str
    unit: str = ""
    about: str = ""
    """What is known of it, in words."""


class Found(NamedTuple):
    entries: list[Entry]
    """The likeliest first."""
    total: int
    """How many there are, shown or not."""
    like: bool
    """Nothing has just these words: these have similar ones."""


class Index:
    """At most `TAGS_MAX` tags; those beyond are counted in `left_out`, and found in the tree alone."""

    def __init__(self) -> None:
        self._entries: list[Entry | None] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._of_path: dict[str, list[int]] = {}
        self._lists: dict[str, array[int]] = {}
        """Word → numbers of the tags that have it, ascending."""
        self._sorted: list[str] | None = None
        """All words, made when they are asked for."""
        self._trigrams: dict[str, list[str]] | None = None
        self._bits: dict[str, tuple[int, int]] = {}
        """Word → in how many numbers it was, and these as bits."""
        self._alive = 0
        """Bits of the tags that are there."""
        self._dead = 0
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Whether a (path, tag) is known."""
        return key in self._numbers

    def put(self, entry: Entry) -> None:
        """A tag; one that is known keeps its words."""
        key = entry.path, entry.tag
        if key in self._numbers:
            return
        if len(self._numbers) >= TAGS_MAX:
            self.left_out += 1
            return
        number = self._numbers[key] = len(self._entries)
        self._entries.append(entry)
        self._alive |= 1 << number
        self._of_path.setdefault(entry.path, []).append(number)
        for word in _words_of(entry):
            of_word = self._lists.get(word)
            if of_word is None:
                of_word = self._lists[word] = array("I")
                self._sorted = self._trigrams = None
            of_word.append(number)

    def remove(self, path: str) -> None:
        """Forgets all tags of a path."""
        for number in self._of_path.pop(path, ()):
            entry = self._entries[number]
            if entry is not None:
                del self._numbers[entry.path, entry.tag]
                self._entries[number] = None
                self._alive ^= 1 << number
                self._dead += 1
        if self._dead > DEAD_SHARE * len(self._entries):
            self._begin_anew()

    def _begin_anew(self) -> None:
        kept = [entry for entry in self._entries if entry is not None]
        left_out = self.left_out
        self.__init__()  # type: ignore[misc]
        self.left_out = left_out
        for entry in kept:
            self.put(entry)

    def search(self, text: str, most: int) -> Found:
        """Tags that have all words of a text: those that have them as they stand first, then those with words that begin
        so, or are their abbreviation or long form, then those with words that have them inside. Where there is none, those
        whose words are alike."""
        typed = [word[:WORD_MAX] for word in words(text)][:WORDS_MAX]
        if not typed:
            return Found([], 0, False)
        numbers: list[int] = []
        known = 0
        for tier in (self._exact, self._begin, self._inside):
            having = self._all(tier, typed) & ~known
            numbers += _first(having, most - len(numbers))
            known |= having
        if not known:
            known = self._all(self._alike, typed)
            return Found(self._living(_first(known, most)), known.bit_count(), True)
        return Found(self._living(numbers), known.bit_count(), False)

    def _all(self, tier: Callable[[str], int], typed: Iterable[str]) -> int:
        """Bits of the tags that have every word, by one of the following rules."""
        having = self._alive
        for word in typed:
            having &= tier(word)
        return having

    def _living(self, numbers: Iterable[int]) -> list[Entry]:
        return [entry for number in numbers if (entry := self._entries[number]) is not None]

    def _exact(self, word: str) -> int:
        """Bits of the tags that have just the word. Each of the four has what the one before has, and more."""
        return self._having([word])

    def _begin(self, word: str) -> int:
        """Or one that begins so, or is related."""
        return self._having([*self._beginning(word), *related(word)])

    def _inside(self, word: str) -> int:
        """Or one with it inside."""
        if len(word) < INSIDE_MIN:
            return self._begin(word)
        return self._begin(word) | self._having(other for other in self._words() if word in other)

    def _alike(self, word: str) -> int:
        """Or one that a slip of the finger may have made this one of."""
        if self._trigrams is None:
            self._trigrams = {}
            for other in self._words():
                for part in trigrams(other):
                    self._trigrams.setdefault(part, []).append(other)
        own = trigrams(word)
        common: dict[str, int] = {}
        for part in own:
            for other in self._trigrams.get(part, ()):
                common[other] = common.get(other, 0) + 1
        likely = nsmallest(4 * LIKE_WORDS_MAX, common, key=lambda other: (-common[other], other))
        close = sorted(((likeness(own, trigrams(other)), other) for other in likely), reverse=True)[:LIKE_WORDS_MAX]
        return self._inside(word) | self._begins_like(other for like, other in close if like >= LIKE_MIN)

    def _begins_like(self, of_words: Iterable[str]) -> int:
        meant = list(of_words)
        return self._having([*meant, *(other for word in meant for other in related(word))])

    def _having(self, of_words: Iterable[str]) -> int:
        """Bits of the tags that have any of some words."""
        found, few = 0, bytearray(len(self._entries) // 8 + 1)
        for word in of_words:
            numbers = self._lists.get(word)
            if numbers is None:
                continue
            if len(numbers) >= MANY:
                found |= self._bits_of(word, numbers)
            else:
                for number in numbers:
                    few[number >> 3] |= 1 << (number & 7)
        return found | int.from_bytes(few, "little")

    def _bits_of(self, word: str, numbers: "array[int]") -> int:
        """Of a word that many tags have, kept until it has more: there can be few such words."""
        kept = self._bits.get(word)
        if kept is None or kept[0] != len(numbers):
            bits = bytearray(numbers[-1] // 8 + 1)
            for number in numbers:
                bits[number >> 3] |= 1 << (number & 7)
            kept = self._bits[word] = len(numbers), int.from_bytes(bits, "little")
        return kept[1]

    def _words(self) -> list[str]:
        if self._sorted is None:
            self._sorted = sorted(self._lists)
        return self._sorted

    def _beginning(self, word: str) -> list[str]:
        listed = self._words()
        return listed[bisect_left(listed, word) : bisect_left(listed, word + "\U0010ffff")]


def _first(bits: int, most: int) -> list[int]:
    """The numbers of the lowest bits, at most so many."""
    numbers: list[int] = []
    while bits and len(numbers) < most:
        lowest = bits & -bits
        numbers.append(lowest.bit_length() - 1)
        bits ^= lowest
    return numbers


def _words_of(entry: Entry) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*words(entry.tag), *_shared(entry.about), *_shared(entry.unit), *_shared(entry.path)]))


_shared = lru_cache(4096)(words)
"""Of what many tags have alike."""
