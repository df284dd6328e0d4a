"""The words of all screens in each language: those of the frame, and those of each screen under its name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

LANGUAGES = ("en", "de")
STATIC = Path(__file__).parent / "static"


def words(language: str, folders: Mapping[str, Path]) -> dict[str, str]:
    """Key → text in a language; a screen's keys begin with its name and a dot. `folders`: screen → its static folder.

    What a screen has not in this language is there in English. Texts may have places such as `{minutes}`.
    """
    found: dict[str, str] = {}
    for prefix, folder in [("", STATIC), *((f"{name}.", folder) for name, folder in folders.items())]:
        for wanted in dict.fromkeys(("en", language)):
            found |= {prefix + key: text for key, text in _read(folder / "lang" / f"{wanted}.json").items()}
    return found


def _read(file: Path) -> dict[str, str]:
    try:
        said: Any = json.loads(file.read_text(encoding="utf-8"))
        return {str(key): str(text) for key, text in said.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        log.error("a file of words cannot be read", file=str(file), error=str(error))
        return {}
