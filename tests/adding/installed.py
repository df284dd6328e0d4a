"""A package beside us, as pip would leave it."""

import os
import shutil
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def install(folder: Path, package: str, entry_points: str) -> dict[str, str]:
    """Copies a toy package into `folder`, with its entry points; the environment in which Python sees it and us."""
    shutil.copytree(HERE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / f"{package}-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    return environment(folder, ROOT)


def environment(*folders: Path) -> dict[str, str]:
    """This one, with Python looking into these folders first, and leaving nothing in them."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONDONTWRITEBYTECODE": "1"}
