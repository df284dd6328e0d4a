"""The cases that bugs became: one folder a case under tests/cases/<component>/, data only."""

from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).parents[1] / "cases"


def cases(component: str) -> list[Path]:
    """The folders of a component's cases, in order of name. Raises AssertionError when there is none."""
    folders = sorted(folder for folder in (CASES / component).iterdir() if folder.is_dir())
    assert folders, f"no cases of {component}"
    return folders


def name(folder: Path) -> str:
    """What pytest calls the case."""
    return folder.name


def document(folder: Path, file: str = "case.yaml") -> dict[str, Any]:
    """One YAML file of a case; `why` in case.yaml says which bug it was."""
    plain = yaml.safe_load((folder / file).read_text(encoding="utf-8"))
    assert isinstance(plain, dict), folder / file
    assert file != "case.yaml" or plain.get("why"), f"{folder / file}: say why"
    return plain
