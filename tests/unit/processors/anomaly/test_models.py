"""The models of anomaly: limits by closed form and by simulation, what each sees, and what all of them hold to."""

import json
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from processors.anomaly.eigen import eigen
from processors.anomaly.group import Group, learn_group, q_limit_of, t2_limit_of
from processors.anomaly.robust import Robust, learn_robust
from processors.anomaly.season import WEEK_H, Season, hour_of_week, learn_season
from processors.anomaly.trees import Trees, cuts, learn_trees
from processors.anomaly.verdict import Model, Row
from processors.anomaly.watch import Anomaly
from topology.model.anomaly import AnomalyRule

HOUR = 3_600_000_000


def rows(vectors: Sequence[Sequence[float]], every: int = HOUR) -> list[Row]:
    return [(n * every, list(vector)) for n, vector in enumerate(vectors, 1)]


def normal(number: int, size: int, seed: int, mix: float = 0.0) -> list[list[float]]:
    """Standard normal vectors whose parts share a common one by `mix`."""
    chance = random.Random(seed)
    made = []
    for _ in range(number):
        common = chance.gauss(0, 1)
        made.append([mix * common + (1 - mix * mix) ** 0.5 * chance.gauss(0, 1) for _ in range(size)])
    return made


LEARN: dict[str, Callable[[int], Model]] = {
    "tag": lambda seed: learn_robust(rows(normal(300, 1, seed)), 0.002),
    "group": lambda seed: learn_group(rows(normal(300, 4, seed, 0.8)), 0.002, 0.9),
    "trees": lambda seed: learn_trees(rows(normal(300, 2, seed)), 15, 6),
    "season": lambda seed: learn_season(rows(normal(6 * WEEK_H, 1, seed)), 0.002),
}
SIZE = {"tag": 1, "group": 4, "trees": 2, "season": 1}
ANY = Robust | Group | Trees | Season


# --- closed forms


@pytest.mark.parametrize(
    ("components", "n", "alpha"), [(1, 24, 0.01), (2, 50, 0.01), (3, 192, 0.0001), (11, 500, 0.05)]
)
def test_the_limit_of_t2_is_what_scipy_says(components: int, n: int, alpha: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    a = components
    expected = a * (n * n - 1) / (n * (n - a)) * stats.f.isf(alpha, a, n - a)
    assert t2_limit_of(a, n, alpha) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("left", [[0.5, 0.3, 0.1], [0.02], [1.2, 1.1, 0.9, 0.4, 0.4, 0.1], [0.9] * 20])
def test_the_limit_of_q_is_near_the_quantile_of_the_quadratic_form(left: list[float]) -> None:
    """Jackson and Mudholkar's is an approximation of the quantile of Σ λ·χ²₁; of equal λ that is λ·χ²_m exactly."""
    stats = pytest.importorskip("scipy.stats")
    chance = random.Random(7)
    for alpha in (0.05, 0.01):
        limit = q_limit_of(left, alpha)
        if len(set(left)) == 1:
            assert limit == pytest.approx(left[0] * stats.chi2.isf(alpha, len(left)), rel=0.03)
        beyond = sum(sum(of * chance.gauss(0, 1) ** 2 for of in left) > limit for _ in range(20_000)) / 20_000
        assert beyond == pytest.approx(alpha, rel=0.25)


@given(st.integers(1, 8), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_eigenvalues_are_those_of_numpy_and_vectors_make_the_matrix_again(size: int, seed: int) -> None:
    numpy = pytest.importorskip("numpy")
    chance = random.Random(seed)
    base = [[chance.gauss(0, 1) for _ in range(size)] for _ in range(size + 3)]
    matrix = [[sum(row[i] * row[j] for row in base) for j in range(size)] for i in range(size)]
    values, vectors = eigen(matrix)
    assert values == pytest.approx(sorted(numpy.linalg.eigvalsh(matrix), reverse=True), rel=1e-9, abs=1e-9)
    assert all(a >= b for a, b in pairwise(values))
    for i in range(size):
        for j in range(size):
            again = sum(value * v[i] * v[j] for value, v in zip(values, vectors, strict=True))
            assert again == pytest.approx(matrix[i][j], rel=1e-9, abs=1e-8)


def test_a_group_says_t2_and_q_as_written_out_by_hand() -> None:
    """Two tags with correlation r: eigenvalues 1 ± r along (1, ±1)/√2."""
    model = Group([10.0, 20.0], [2.0, 4.0], [[0.5**0.5, 0.5**0.5]], [1.8], t2_limit=9.0, q_limit=0.5)
    along = model.score(0, [14.0, 28.0])  # z = (2, 2): t = 2√2, T² = 8/1.8
    assert along.details == {"t2": round(8 / 1.8, 4), "q": 0.0}
    across = model.score(0, [14.0, 12.0])  # z = (2, −2): t = 0, Q = 8
    assert across.details == {"t2": 0.0, "q": 8.0}
    assert across.score == pytest.approx((8 / 0.5) ** 0.5)
    assert across.expected == pytest.approx(10.0)


# --- false alarms, by simulation


def share_beyond(model: Model, vectors: Sequence[Sequence[float]]) -> float:
    judged = [verdict.score > 1 for n, of in enumerate(vectors) if (verdict := model.score(n * HOUR, of)) is not None]
    return sum(judged) / len(judged)


@pytest.mark.parametrize("kind", sorted(LEARN))
def test_false_alarms_of_single_periods_are_as_rare_as_stated(kind: str) -> None:
    """α is .002; what was learnt from few is uncertain, so the mean over models counts. Trees state the share of the least of
    100 that were learnt: 1 in 101."""
    models, each = 12, 1500
    share = (
        sum(
            share_beyond(LEARN[kind](seed), normal(each, SIZE[kind], 900 + seed, 0.8 if kind == "group" else 0))
            for seed in range(models)
        )
        / models
    )
    stated = 1 / 101 if kind == "trees" else 0.002
    error = 4 * (stated / (models * each)) ** 0.5 + stated
    assert share < stated + error


# --- what each sees


@pytest.mark.parametrize(
    ("kind", "unusual"),
    [("tag", [9.0]), ("group", [2.5, -2.5, 2.5, -2.5]), ("trees", [9.0, -9.0]), ("season", [9.0])],
)
def test_each_sees_what_is_unusual_and_names_the_tag(kind: str, unusual: list[float]) -> None:
    for seed in range(5):
        verdict = LEARN[kind](seed).score(3 * HOUR, unusual)
        assert verdict is not None
        assert verdict.score > 1
        assert 0 <= verdict.tag < len(unusual)


def test_a_group_sees_what_single_tags_do_not() -> None:
    """Each value is within two standard deviations; together they never were."""
    broken = [1.8, -1.8, 1.8, -1.8]
    group = LEARN["group"](1).score(0, broken)
    single = learn_robust([(at, values[:1]) for at, values in rows(normal(300, 4, 1, 0.8))], 0.002).score(0, [1.8])
    assert group is not None
    assert single.score < 1 < group.score


def test_trees_see_a_hole_that_t2_does_not() -> None:
    """What is usual is a ring; its middle never was."""
    chance = random.Random(3)
    ring = []
    for _ in range(900):
        x, y = chance.gauss(0, 1), chance.gauss(0, 1)
        far = (x * x + y * y) ** 0.5
        ring.append([10 * x / far + chance.gauss(0, 0.3), 10 * y / far + chance.gauss(0, 0.3)])
    trees, group = learn_trees(rows(ring), 30, 8), learn_group(rows(ring), 0.002, 0.9)
    assert group.score(0, [0.0, 0.0]).score < 1
    assert trees.score(0, [0.0, 0.0]).score > 1


def test_the_season_knows_the_hour() -> None:
    chance = random.Random(5)
    told = [
        (n * HOUR, [(50.0 if 6 <= hour_of_week(n * HOUR) % 24 < 22 else 5.0) + chance.gauss(0, 1)])
        for n in range(4 * WEEK_H)
    ]
    model = learn_season(told, 0.001)
    monday = 4 * 24 * HOUR
    day, night = model.score(monday + 12 * HOUR, [50.0]), model.score(monday + 3 * HOUR, [50.0])
    assert day is not None
    assert night is not None
    assert day.score < 1 < night.score
    assert night.expected == pytest.approx(5.0, abs=1.5)


def test_an_hour_that_was_never_learnt_is_not_judged() -> None:
    working = [row for row in rows([[float(n % 7)] for n in range(4 * WEEK_H)]) if hour_of_week(row[0]) < 120]
    model = learn_season(working, 0.001)
    assert model.score(4 * 24 * HOUR + 130 * HOUR, [3.0]) is None


def test_the_residual_sees_a_jump_within_what_is_usual() -> None:
    """A level that wanders slowly between 0 and 100 does not jump by 40 in a period."""
    wander = [[50 + 49 * (n % 100 - 50) / 50 * (1 if n // 100 % 2 else -1)] for n in range(600)]
    chance = random.Random(2)
    model = learn_robust(rows([[of[0] + chance.gauss(0, 0.5)] for of in wander]), 0.0005, 0.5)
    for of in wander[:60]:
        model.score(0, of)
    before = model.level
    verdict = model.score(0, [before + 40 if before < 50 else before - 40])
    assert verdict.score > 1
    assert abs(verdict.details["jump"]) > abs(verdict.details["z"])


# --- what all of them hold to


@pytest.mark.parametrize("kind", sorted(LEARN))
def test_the_state_goes_round_byte_for_byte_and_says_the_same(kind: str) -> None:
    model = LEARN[kind](4)
    saved = msgspec.msgpack.encode(model)
    again: Any = msgspec.msgpack.decode(saved, type=ANY)
    assert msgspec.msgpack.encode(again) == saved
    for n, vector in enumerate(normal(50, SIZE[kind], 77)):
        assert again.score(n * HOUR, vector) == model.score(n * HOUR, vector)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(model)


@pytest.mark.parametrize("kind", sorted(LEARN))
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(kind: str, bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        LEARN[kind](1).score(0, [bad] * SIZE[kind])


@pytest.mark.parametrize("kind", sorted(LEARN))
def test_memory_does_not_grow_with_what_is_judged(kind: str) -> None:
    model = LEARN[kind](1)
    before = len(msgspec.msgpack.encode(model))
    for n, vector in enumerate(normal(500, SIZE[kind], 3)):
        model.score(n * HOUR, vector)
    assert len(msgspec.msgpack.encode(model)) <= before + 8
    assert before < 20_000


@pytest.mark.parametrize("kind", sorted(LEARN))
def test_what_never_changed_while_it_was_learnt_is_no_reason_to_divide_by_zero(kind: str) -> None:
    same = rows([[5.0] * SIZE[kind] for _ in range(6 * WEEK_H if kind == "season" else 300)])
    learn: dict[str, Callable[[], Model]] = {
        "tag": lambda: learn_robust(same, 0.002),
        "group": lambda: learn_group(same, 0.002, 0.9),
        "trees": lambda: learn_trees(same, 15, 6),
        "season": lambda: learn_season(same, 0.002),
    }
    model = learn[kind]()
    usual, other = model.score(0, [5.0] * SIZE[kind]), model.score(0, [6.0] * SIZE[kind])
    assert usual is not None
    assert other is not None
    assert usual.score <= 1 < other.score


def test_trees_are_the_same_ever_after() -> None:
    """A change here changes what every saved model means: it has to become another kind."""
    tree = cuts(2, 3, 3)[1]
    assert [tag for tag, _ in tree] == [2, 0, 1, 2, 2, 0, 2]
    found = [0.5956380814, 0.591189734198, 0.749149683874, 0.0, 0.0, 0.591189734198, 1.1912761628]
    assert [round(cut, 12) for _, cut in tree] == found


# --- rules


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ({"kind": "group", "tags": ["A"]}, "at least two tags"),
        ({"kind": "group", "tags": ["A", "A"]}, "stands twice"),
        ({"kind": "group", "tags": ["A", "B", "C"], "learn": 12}, "at least 18 periods"),
        ({"kind": "trees", "tags": []}, "at least one tag"),
        ({"kind": "trees", "tags": ["A", "B", "C"], "learn": 4096}, "learn at most 2730"),
    ],
)
def test_a_rule_that_cannot_work_says_what_to_do(rule: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        TypeAdapter[AnomalyRule](AnomalyRule).validate_python(rule)


def test_a_watch_tells_its_rules_apart() -> None:
    read = TypeAdapter[AnomalyRule](AnomalyRule).validate_python
    first = Anomaly("a", read({"kind": "tag", "tag": "X", "learn": 12, "confirm": 1}))
    for n in range(40):
        first.put((n + 1) * HOUR, [float(n % 3)])
    saved = msgspec.Raw(msgspec.msgpack.encode(first.dump()))
    same, other = (
        Anomaly("a", read({"kind": "tag", "tag": "X", "learn": 12, "confirm": 1, **more}))
        for more in ({"hint": "belt"}, {"weight": 0.5})
    )
    same.load(saved)
    other.load(saved)
    assert not same.learning
    assert other.learning
    assert json.loads(msgspec.json.encode(other.dump()))["number"] == 1
