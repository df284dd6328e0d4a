"""Ready subscriptions for what is in many plants, as data: `profiles/*.yaml`."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Literal, get_args

import yaml

ProfileName = Literal["homeassistant", "shelly", "tasmota", "umh", "zigbee2mqtt"]
NAMES: tuple[ProfileName, ...] = get_args(ProfileName)
_FOLDER = FilePath(__file__).parent / "profiles"


@dataclass(frozen=True)
class KnownSource:
    """One file."""

    summary: str
    subscriptions: Sequence[dict[str, Any]]
    """As options of a subscription, without `path`; topics below `base`."""
    path: str = ""
    """Where the topics name it themselves."""
    base: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Options without which it cannot be read, and why."""

    def why(self, options: Sequence[str]) -> str:
        return "; ".join(self.needs[option] for option in options)


@functools.cache
def profile(name: ProfileName) -> KnownSource:
    return KnownSource(**yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))
