"""Which known word an unknown one most likely stands for."""

import pytest

from topology.nearest import hint, listed, misspelt, nearest
from topology.vocabulary import CATEGORIES, MODES


@pytest.mark.parametrize(
    ("word", "known", "close"),
    [
        ("filer", ["capper", "filler"], "filler"),
        ("PTB", ["base", "PBT"], "PBT"),
        ("Acme/Line_1", ["acme/line-1"], "acme/line-1"),
        (7, ["filler"], None),
        ("filler", [], None),
    ],
)
def test_the_nearest_word(word: object, known: list[str], close: str | None) -> None:
    assert nearest(word, known) == close


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Production", "production"), ("PRODUCTION", "production"), ("prodution", "production"),
        ("produktion", "production"), (" production", "production"), ("Setup", "setup"), ("set-up", "setup"),
        ("stepu", "setup"), ("maintenence", "maintenance"), ("maintainance", "maintenance"), ("Manual", "manual"),
    ],
)  # fmt: skip
def test_another_spelling_of_a_mode(word: str, meant: str) -> None:
    assert misspelt(word, MODES) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Breakdown", "breakdown"), ("break-down", "breakdown"), ("break down", "breakdown"),
        ("braekdown", "breakdown"), ("breakdwon", "breakdown"), ("breakdowns", "breakdown"), ("planed", "planned"),
        ("mikro", "micro"), ("Change-over", "changeover"), ("Materials", "material"),
    ],
)  # fmt: skip
def test_another_spelling_of_a_category(word: str, meant: str) -> None:
    assert misspelt(word, CATEGORIES) == meant


@pytest.mark.parametrize(
    "word", ["cleaning", "unplanned", "organisational", "quality", "no-operator", "energy", "tooling"]
)
def test_a_word_of_its_own_is_none(word: str) -> None:
    assert misspelt(word, [*CATEGORIES, *MODES]) is None


def test_a_known_word_is_no_slip_however_near_another() -> None:
    assert misspelt("setup", ["setups", "setup"]) is None


def test_a_hint_names_the_nearest_else_what_there_is() -> None:
    assert hint("filer", ["filler", "capper"]) == "did you mean 'filler'?"
    assert hint("xyz", ["filler", "capper"]) == "there are filler, capper"
    assert hint("xyz", []) == "there are none"
    assert listed([f"w{n}" for n in range(100)]).endswith("w39, … (100)")
    assert nearest("W-70000", [f"w-{n}" for n in range(70_001)]) == "w-70000", (
        "other spellings are found among any number"
    )
