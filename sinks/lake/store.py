"""Where the tables of a lake lie: a folder, or an object store and what it needs to be reached."""

from collections.abc import Mapping
from pathlib import Path as FilePath

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from sinks.base import Retryable
from sinks.lake.config import LakeConfig

FAILURES = (DeltaError, OSError)
"""What deltalake raises of a store that does not do as it is told."""
RETRIES = 3


class Store:
    """Blocking. `hidden`: the secrets, never to be shown."""

    def __init__(self, config: LakeConfig, hidden: Mapping[str, str]) -> None:
        self._url, self._local, self.hidden = config.url, config.local, hidden
        self.options: dict[str, str] | None = None if config.local else _options(config) | dict(hidden)

    def address(self, table: str) -> str:
        return f"{self._url}/{table}"

    def table(self, name: str) -> DeltaTable | None:
        """None where there is no such table. Raises `FAILURES`."""
        address = self.address(name)
        there = DeltaTable.is_deltatable(address, self.options)
        return DeltaTable(address, storage_options=self.options) if there else None

    def make(self) -> None:
        """The lake's own folder, but not what is above: beside a disk that is not mounted nothing is to be written.
        Raises `Retryable`."""
        if not self._local:
            return
        try:
            FilePath(self._url).mkdir(exist_ok=True)
        except OSError as error:
            raise Retryable(f"the folder {self._url} cannot be made: {error.strerror}; is its disk mounted?") from error


def _options(config: LakeConfig) -> dict[str, str]:
    """Ours first: who gives one of these by name has a reason."""
    wait, connect = f"{config.timeout_s:g}s", f"{min(5.0, config.timeout_s):g}s"
    ours = {"timeout": wait, "connect_timeout": connect, "retry_timeout": wait, "max_retries": str(RETRIES)}
    return ours | config.options
