"""What a table format has to do for a lake, and which there are: Delta Lake and Iceberg. Each needs a library of its own."""

from collections.abc import Iterable, Sequence, Set
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from sinks.base import Retryable
from sinks.lake.config import LakeConfig
from sinks.lake.gathered import Ends, Place
from sinks.lake.tidy import File, Merge

if TYPE_CHECKING:
    import pyarrow as pa

    from sinks.lake.reading import Reading

_NEEDED = {"delta": ("deltalake", "lake"), "iceberg": ("pyiceberg", "iceberg")}
"""Format → the module, and the extra that brings it."""


class LakeTable(Protocol):
    """One table. Blocking; used by one thread at a time. Raises `Retryable` with the store's words, `Taken`, `Unfit`."""

    name: str

    def open(self) -> None:
        """Looks whether the table is there, and whether it can hold our rows; makes nothing."""
        ...

    def rows_end(self, place: Place) -> int:
        """Rows below this offset are in the table."""
        ...

    def position(self, place: Place) -> int | None:
        """Next offset to read, in the table that is home to the topic's class."""
        ...

    def last_version(self) -> int | None:
        """Version of our last commit."""
        ...

    def next_version(self) -> int:
        """Of no other commit."""
        ...

    def append(self, rows: "Sequence[pa.RecordBatch]", ends: Ends, positions: Ends, version: int) -> None:
        """In one commit. After an error it is open whether it took place: `open` again, and compare the version."""
        ...

    def files(self) -> list[File]: ...

    def merge(self, merge: Merge, z_order: bool) -> None:
        """Small files of a day into large ones; readers keep theirs."""
        ...

    def vacuum(self, keep_h: int) -> int:
        """Lets go of what no reader of the last `keep_h` hours needs; how much of it there was."""
        ...


class Places(Protocol):
    """Which topics and partitions the sink has written of."""

    @property
    def known(self) -> Set[Place]: ...

    def open(self) -> None: ...

    def add(self, places: Iterable[Place]) -> None:
        """To be called before any of them is named in another table. Raises `Retryable`."""
        ...


def check(name: str, config: LakeConfig) -> None:
    """Raises `Retryable` where a library is missing."""
    module, extra = _NEEDED[config.format]
    if missing := next((one for one in (module, "pyarrow") if find_spec(one) is None), None):
        raise Retryable(f"lake {name} needs {missing}: pip install 'uns-backbone[{extra}]'")


def opened(name: str, config: LakeConfig) -> tuple[Places, dict[str, LakeTable]]:
    """Connects to nothing yet. Raises `OSError` or `BadSecret` for a secret that cannot be used."""
    from sinks.lake.rows import tables

    if config.format == "iceberg":
        from sinks.lake.iceberg.catalog import Catalogue
        from sinks.lake.iceberg.table import IcebergTable
        from sinks.lake.iceberg.table import Places as InProperties

        catalogue = Catalogue(name, config, config.hidden())
        found = {one.name: IcebergTable(name, catalogue, one.name, one.schema) for one in tables().values()}
        return InProperties(found.values()), dict(found)
    from sinks.lake.places import Places as Beside
    from sinks.lake.store import Store
    from sinks.lake.table import DeltaLakeTable

    store = Store(config, config.hidden())
    return Beside(name, store), {one.name: DeltaLakeTable(name, store, one.name, one.schema) for one in tables().values()}  # fmt: skip


def reading(name: str, config: LakeConfig) -> "Reading[Any]":
    """As `opened`."""
    if config.format == "iceberg":
        from sinks.lake.iceberg.reading import IcebergReading

        return IcebergReading(name, config)
    from sinks.lake.delta_reading import DeltaReading

    return DeltaReading(name, config)
