"""What the toy screen knows: the newest OEE of each place."""

from schemas.records import Derived, Oee


class Newest:
    """One record a path, so its memory is bounded."""

    def __init__(self) -> None:
        self.by_path: dict[str, Oee] = {}

    def apply(self, record: Derived) -> None:
        if not isinstance(record, Oee):
            return
        known = self.by_path.get(record.path)
        if known is None or (known.started_at, known.revision) < (record.started_at, record.revision):
            self.by_path[record.path] = record
