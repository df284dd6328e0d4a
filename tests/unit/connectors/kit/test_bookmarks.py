"""Places that outlive the process: kept whole, by one connector, within a bound."""

from pathlib import Path

import pytest

from connectors.base import SourceUnavailable
from connectors.kit import bookmarks as module
from connectors.kit.bookmarks import Bookmarks


def test_places_outlive_and_are_replaced_and_forgotten(tmp_path: Path) -> None:
    first = Bookmarks(tmp_path / "new" / "folder" / "state.db")
    for name, place in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4")):
        first.put(name, place)
    first.forget("c")
    first.forget("never there")
    first.close()
    first.close()
    second = Bookmarks(tmp_path / "new" / "folder" / "state.db")
    assert list(second.all().items()) == [("b", b"2"), ("a", b"3")], "the longest untouched first"
    second.close()


def test_beyond_the_bound_those_that_are_gone_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BOOKMARKS_MAX", 3)
    bookmarks = Bookmarks(tmp_path / "state.db")
    for name in "abcde":
        bookmarks.put(name, b"1")
    assert bookmarks.tidy({"a", "d", "e"}) == ["b", "c"]
    assert bookmarks.tidy({"a", "d", "e"}) == []
    assert list(bookmarks.all()) == ["a", "d", "e"]
    bookmarks.close()


def test_a_file_that_cannot_be_used_is_as_if_the_source_were_away(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"something else, and not small enough to pass" * 100)
    with pytest.raises(SourceUnavailable, match=r"state\.db: file is not a database"):
        Bookmarks(file)
    with pytest.raises(SourceUnavailable, match=r"state\.db"):
        Bookmarks(file / "below" / "state.db")
    one = Bookmarks(tmp_path / "other.db")
    with pytest.raises(SourceUnavailable, match="another process has it open"):
        Bookmarks(tmp_path / "other.db")
    one.close()
    with pytest.raises(SourceUnavailable):
        one.put("a", b"1")
