"""A restored cell sleeps for as long as it may, so that every test with a restart is one of sleeping cells, too."""

from collections.abc import Iterator

import pytest

from processors import line


@pytest.fixture(autouse=True, scope="session")
def sleepers() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(line, "LOADED_PER_TICK", 0)
    yield
    patch.undo()
