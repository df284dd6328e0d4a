"""The notes that people have made, newest revisions, as the feed brings them. A picture: pure, bounded."""

from collections.abc import Callable, Iterator

from schemas.records import Derived, Note

NOTES_MAX = 5_000


class Book:
    """At most `NOTES_MAX` notes; the one that was made first makes room."""

    def __init__(self) -> None:
        self._notes: dict[str, Note] = {}

    def apply(self, record: Derived) -> None:
        """A greater revision replaces a smaller one, in any order."""
        if not isinstance(record, Note):
            return
        known = self._notes.get(record.natural_id)
        if known is not None and known.revision >= record.revision:
            return
        self._notes[record.natural_id] = record
        if len(self._notes) > NOTES_MAX:
            del self._notes[min(self._notes, key=lambda id_: self._notes[id_].started_at)]

    def get(self, id_: str) -> Note | None:
        return self._notes.get(id_)

    def of(self, place: str, wanted: Callable[[Note], bool] = lambda _: True) -> Iterator[Note]:
        """Notes at a place and inside it that were not taken back, the newest first."""
        for note in sorted(self._notes.values(), key=lambda note: -note.started_at):
            inside = not place or note.path == place or note.path.startswith(place + "/")
            if inside and not note.withdrawn and wanted(note):
                yield note

    def __len__(self) -> int:
        return len(self._notes)
