"""A named fault: what happens, and what must hold after it. Any of them runs alone."""

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.torture.room import Services


class Skipped(Exception):
    """This machine cannot run the case; says what is missing."""


@dataclass(frozen=True)
class Stage:
    """What a case is given."""

    services: Services
    seed: int = 1
    full: bool = False
    """Long waits at full length: minutes where seconds show the same."""

    def folder(self, name: str) -> Path:
        """A new folder of the case's own."""
        made = self.services.folder / f"{name}-{secrets.token_hex(2)}"
        made.mkdir(parents=True)
        return made


@dataclass(frozen=True)
class Case:
    name: str
    what: str
    """First line of its docstring."""
    run: Callable[[Stage], None]
    fast: bool
    """Part of `make test`; the others take longer or need root."""


CASES: dict[str, Case] = {}


def case(name: str, fast: bool = False) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Registers a fault under its name."""

    def register(run: Callable[[Stage], None]) -> Callable[[Stage], None]:
        CASES[name] = Case(name, (run.__doc__ or "").splitlines()[0], run, fast)
        return run

    return register


def needs(*programs: str) -> None:
    """Raises `Skipped` without root or one of the programs."""
    if os.geteuid() != 0:
        raise Skipped("needs root: it makes namespaces or mounts")
    if missing := [name for name in programs if shutil.which(name) is None]:
        raise Skipped(f"needs {', '.join(missing)}")
