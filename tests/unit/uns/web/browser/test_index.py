"""What people type finds the tags that they mean: held against a plain look at every tag."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Current, Sample
from tests.harness.fold_files import CELL, plant
from tests.harness.records import EXAMPLES
from uns.web.browser import catalog, index
from uns.web.browser.catalog import Catalog
from uns.web.browser.index import Entry, Index
from uns.web.browser.words import likeness, related, trigrams, words

LINE = "acme/dallas/packaging/line-1"
NAMES = ["MotorTemp", "motor_temperature", "PumpPressure", "OvenTemp02", "FillVolume", "Speed", "spd_act", "GoodCount"]
PLACES = [f"{LINE}/filler", f"{LINE}/capper", "acme/berlin/a/b/oven"]
ENTRIES = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(NAMES)).map(lambda pair: Entry(*pair)), max_size=20
)


def made(*entries: Entry) -> Index:
    found = Index()
    for entry in entries:
        found.put(entry)
    return found


def plainly(entries: list[Entry], text: str) -> set[tuple[str, str]]:
    """The tags that have each word, one that begins so, a related one, or one with it inside, by looking at all of them."""

    def has(entry: Entry, word: str) -> bool:
        own = [*words(entry.tag), *words(entry.path), *words(entry.about), *words(entry.unit)]
        inside = len(word) >= index.INSIDE_MIN
        return any(of.startswith(word) or of in related(word) or (inside and word in of) for of in own)

    return {(e.path, e.tag) for e in entries if all(has(e, word) for word in words(text))}


@given(ENTRIES, st.sampled_from(["temp", "motor temp", "press", "line-1 speed", "oven 2", "vol", "f", "ill", "acme"]))
def test_it_finds_just_what_a_look_at_every_tag_finds(entries: list[Entry], text: str) -> None:
    found = made(*entries).search(text, 1000)
    expected = plainly(entries, text)
    if expected:
        assert {(entry.path, entry.tag) for entry in found.entries} == expected
        assert (found.total, found.like) == (len(expected), False)
    else:
        assert found.like
        assert found.total == len(found.entries)


@given(ENTRIES, st.integers(0, 2), st.sampled_from(["temp", "speed", "acme"]))
def test_what_is_removed_is_not_found_and_the_rest_is(entries: list[Entry], which: int, text: str) -> None:
    gone = PLACES[which]
    found = made(*entries)
    found.remove(gone)
    left = [entry for entry in entries if entry.path != gone]
    assert len(found) == len({(entry.path, entry.tag) for entry in left})
    answer = found.search(text, 1000)
    if not answer.like:
        assert {(entry.path, entry.tag) for entry in answer.entries} == plainly(left, text)
    for entry in entries:
        found.put(entry)
    assert len(found) == len({(entry.path, entry.tag) for entry in entries})


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("temp", "MotorTemp"),
        ("temperature", "motor_temperature"),
        ("moter tmp", "MotorTemp"),
        ("presure", "PumpPressure"),
        ("speed", "Speed"),
        ("oven 2", "OvenTemp02"),
        ("essur", "PumpPressure"),
        ("GOODCOUNT", "GoodCount"),
        ("°C temp", "MotorTemp"),
    ],
)
def test_the_likeliest_comes_first(typed: str, first: str) -> None:
    found = made(*(Entry(f"{LINE}/filler", name, "°C" if "emp" in name else "") for name in NAMES))
    assert found.search(typed, 5).entries[0].tag == first


def test_what_many_tags_have_is_found_as_fast_words_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MANY", 2)
    found = made(*(Entry(f"{LINE}/filler", f"Temp{n}") for n in range(40)))
    assert found.search("temp", 3).total == 40
    found.put(Entry(f"{LINE}/filler", "Temp99"))
    assert found.search("temp", 100).entries[-1].tag == "Temp99"
    assert found.search("temp 99", 100).total == 1


def test_it_is_bounded_and_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "TAGS_MAX", 3)
    found = made(*(Entry(f"{LINE}/filler", f"Temp{n}") for n in range(5)))
    assert (len(found), found.left_out) == (3, 2)
    assert len(found.search("x" * 100_000, 5).entries) == 0
    assert found.search(" ".join(["temp"] * 1000), 5).total == 3
    assert found.search("", 5).entries == found.search("§$%", 5).entries == []


@given(st.text(max_size=60))
def test_whatever_is_typed_there_is_an_answer(typed: str) -> None:
    made(*(Entry(f"{LINE}/filler", name) for name in NAMES)).search(typed, 5)


@given(st.text(alphabet="abc", min_size=1, max_size=6), st.text(alphabet="abc", min_size=1, max_size=6))
def test_a_word_is_most_like_itself(one: str, other: str) -> None:
    assert likeness(trigrams(one), trigrams(one)) == 1
    assert likeness(trigrams(one), trigrams(other)) == likeness(trigrams(other), trigrams(one)) <= 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FillVolume", ("fill", "volume")),
        ("MTR_Temp012", ("mtr", "temp", "012", "12")),
        ("HTTPStatus", ("http", "status")),
        ("Füllstand", ("füllstand",)),
        ("", ()),
    ],
)
def test_names_are_cut_into_words(name: str, expected: tuple[str, ...]) -> None:
    assert words(name) == expected


def snapshot(path: str, at: int, **values: Any) -> Current:
    tags = tuple(Sample(tag, at, value) for tag, value in values.items())
    (example,) = (record for record in EXAMPLES if isinstance(record, Current))
    return msgspec.structs.replace(example, path=path, at=at, tags=tags)


def test_the_tree_has_the_model_and_what_machines_say_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Catalog.of(plant())
    assert [child.name for child in browser.children("")[0]] == ["acme"]
    assert browser.children("acme")[0][0].tags == 4
    browser.apply(snapshot(CELL, 5, Good=7, Extra=1.5))
    rows, count = browser.children(CELL)
    assert ([row.name for row in rows], count) == (["State", "Good", "Scrap", "Reason", "Extra"], 5)
    assert browser.children(LINE)[0] == [catalog.Child(CELL, "filler", "machine", 5)]
    browser.apply(snapshot(CELL, 4, Good=6))
    good = browser.sample(CELL, "Good")
    assert good is not None
    assert good.value == 7, "an older snapshot changes nothing"
    assert browser.about(CELL, "Good")[1] == "good pieces counter"
    monkeypatch.setattr(catalog, "CHILDREN_MAX", 2)
    assert [row.name for row in browser.children(CELL, 2)[0]] == ["Scrap", "Reason"]
    browser.remove(CELL)
    assert browser.children("") == ([], 0)
    assert browser.search("good", 5).entries == []
