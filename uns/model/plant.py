"""The plant model for a process: read once at start, with a user's error when it cannot be."""

from pathlib import Path

from topology.model.loader import PlantError, load
from topology.model.plant import Plant
from uns.errors import UserError
from uns.runtime.running import environment


def load_plant(folder: Path) -> Plant:
    """Raises `UserError` with every problem, its file and its line."""
    try:
        return load(folder, environment())
    except PlantError as error:
        count = len(error.problems)
        raise UserError(
            f"the plant model in {folder} has {count} problem{'s' if count > 1 else ''}:\n{error}"
        ) from error
