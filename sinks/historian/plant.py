"""What the plant model says of tags: the records carry names and values alone."""

from collections.abc import Mapping

from sinks.historian.names import TagNote
from sinks.historian.sink import Historian
from topology.model.plant import Plant


def notes(plant: Plant) -> Mapping[str, Mapping[str, TagNote]]:
    """Path → tag → role and unit, of the tags that an equipment type names."""
    units = plant.units
    return {
        str(path): {name: TagNote(tag.role, units.get((str(path), name))) for name, tag in kind.tags.items()}
        for path, kind in plant.cells().items()
    }


def knows(sink: Historian, plant: Plant) -> None:
    """Before `open`, which writes it to the table `tag`."""
    sink.notes = notes(plant)
