"""What a folder and those below it have, however they are asked: one that cannot be read is named, and hides no other."""

import asyncio
from collections.abc import Mapping

import pytest

from connectors.files import folder as module
from connectors.files.folder import DEPTH_MAX, Entry, Listing, Seen, listed

FILE = Seen(1, 2)
Tree = Mapping[str, list[Entry] | OSError]


def listing(tree: Tree) -> Listing:
    async def scan(below: str) -> list[Entry]:
        found = tree[below]
        if isinstance(found, OSError):
            raise found
        return found

    return asyncio.run(listed(scan))


def test_files_have_the_names_of_their_folders_before_them() -> None:
    tree = {"": [Entry("a", FILE), Entry("b", None)], "b/": [Entry("c", FILE), Entry("d", None)], "b/d/": []}
    assert listing(tree) == Listing({"a": FILE, "b/c": FILE}, ())


def test_a_folder_that_cannot_be_read_is_named_and_one_that_is_gone_is_not() -> None:
    tree: Tree = {
        "": [Entry(name, None) for name in ("shut", "gone", "open")],
        "shut/": PermissionError(13, "Permission denied"),
        "gone/": FileNotFoundError(2, "No such file"),
        "open/": [Entry("a", FILE)],
    }
    assert listing(tree) == Listing({"open/a": FILE}, ("folder shut/ cannot be read: Permission denied",))


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionError("lost"), PermissionError(13, "x"), FileNotFoundError()]
)
def test_what_goes_wrong_with_the_folder_itself_is_raised(error: OSError) -> None:
    with pytest.raises(type(error)):
        listing({"": error})


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionError("lost")])
def test_a_link_that_is_lost_below_is_lost(error: OSError) -> None:
    with pytest.raises(type(error)):
        listing({"": [Entry("a", None)], "a/": error})


def test_depth_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = {"".join(f"{n}/" for n in range(depth)): [Entry(str(depth), None)] for depth in range(DEPTH_MAX + 1)}
    assert listing(deep) == Listing({}, ()), "and a loop of folders has an end"
    monkeypatch.setattr(module, "FILES_MAX", 2)
    wide = {"": [Entry("a", None), *(Entry(str(n), FILE) for n in range(3))]}
    (problem,) = listing(wide).problems
    assert problem.startswith("more than 2 files are there")
