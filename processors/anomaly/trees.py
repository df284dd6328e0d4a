"""Tags of a machine by product: combinations of values that were not seen before. Half-space trees.

Our own: those of river learn on with every value and change without a word, and what they save is no fixed form of bytes.
The trees follow from numbers alone (SplitMix64), so a fold has no chance in it, and only the masses are kept.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from processors.anomaly.verdict import Row, Verdict, checked, parts, resolution

_WORD = (1 << 64) - 1
DAMPING = 0.1
"""Added to both sides of a score, so that what no tree has seen at all is not infinitely unusual."""
SMALL = 0.02
"""A node with at most this share of what was learnt is not looked into further."""

Cut = tuple[int, float]
"""Number of the tag, and where its range is halved, in units of what was learnt."""


class Trees(msgspec.Struct, tag="trees", gc=False):
    """Score = Σ m·2^k over trees: m the mass learnt of the node where a value ends, k its depth (Tan, Ting and Liu, IJCAI
    2011); little is unusual. The masses stay as they were learnt. Sees gaps between what is usual and islands in them, which
    T² does not; has no formula for its limit, only what its own last third of learning was.
    """

    low: list[float]
    width: list[float]
    """What was learnt lies between low and low + width."""
    masses: list[list[int]]
    """By tree: of its nodes, level by level."""
    depth: int
    learnt: int
    limit: float = 0.0

    def score(self, at: int, values: Sequence[float]) -> Verdict:
        """Raises ValueError for a value that is no finite number."""
        checked(values)
        place = [(value - low) / width for value, low, width in zip(values, self.low, self.width, strict=True)]
        usual = self._usual(place)
        tag = max(range(len(place)), key=lambda j: abs(place[j] - 0.5))
        score = (self.limit + DAMPING) / (usual + DAMPING)
        return Verdict(score, tag, self.low[tag] + self.width[tag] / 2, {"mass": round(usual, 4)})

    def _usual(self, place: Sequence[float]) -> float:
        """The mean over trees of m·2^k / n: 1 where masses are spread evenly over the space."""
        total = 0.0
        forest = cuts(len(self.masses), self.depth, len(place))
        for masses, tree in zip(self.masses, forest, strict=True):
            for level, node in enumerate(path_of(tree, self.depth, place)):
                if masses[node] <= SMALL * self.learnt or level == self.depth:
                    total += masses[node] * 2.0**level
                    break
        return total / len(self.masses) / self.learnt


def learn_trees(rows: Sequence[Row], trees: int, depth: int) -> Trees:
    """The limit is the least usual score of the last third."""
    fitted, rest = parts(rows)
    size = len(fitted[0][1])
    low = [min(values[j] for _, values in fitted) for j in range(size)]
    width = [resolution(low[j], max(values[j] for _, values in fitted) - low[j]) for j in range(size)]
    masses = [[0] * (2 ** (depth + 1) - 1) for _ in range(trees)]
    forest = cuts(trees, depth, size)
    for _, values in fitted:
        place = [(value - least) / wide for value, least, wide in zip(values, low, width, strict=True)]
        for mass, tree in zip(masses, forest, strict=True):
            for node in path_of(tree, depth, place):
                mass[node] += 1
    model = Trees(low, width, masses, depth, len(fitted))
    seen = [verdict.details["mass"] for at, values in rest if (verdict := model.score(at, values))]
    model.limit = min(seen)
    return model


def path_of(tree: Sequence[Cut], depth: int, place: Sequence[float]) -> Iterator[int]:
    """Numbers of the nodes from the root down, level by level: the children of n are 2n + 1 and 2n + 2."""
    node = 0
    yield node
    for _ in range(depth):
        tag, cut = tree[node]
        node = 2 * node + (1 if place[tag] < cut else 2)
        yield node


@lru_cache(maxsize=64)
def cuts(trees: int, depth: int, tags: int) -> tuple[tuple[Cut, ...], ...]:
    """Where the inner nodes of each tree halve the space: one about what was learnt, moved from tree to tree.

    >>> len(cuts(3, 4, 2)), len(cuts(3, 4, 2)[0])
    (3, 15)
    """
    return tuple(_tree(number, depth, tags) for number in range(trees))


def _tree(number: int, depth: int, tags: int) -> tuple[Cut, ...]:
    chance = _numbers(number + 1)
    spaces: list[list[tuple[float, float]]] = [[]]
    for _ in range(tags):
        middle = next(chance)
        reach = 2 * max(middle, 1 - middle)
        spaces[0].append((middle - reach, middle + reach))
    found: list[Cut] = []
    for node in range(2**depth - 1):
        space = spaces[node]
        tag = min(int(next(chance) * tags), tags - 1)
        low, high = space[tag]
        cut = (low + high) / 2
        found.append((tag, cut))
        spaces += ([*space[:tag], part, *space[tag + 1 :]] for part in ((low, cut), (cut, high)))
    return tuple(found)


def _numbers(seed: int) -> Iterator[float]:
    """In [0, 1), the same ever after: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _WORD
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
        yield ((z ^ (z >> 31)) >> 11) / (1 << 53)
