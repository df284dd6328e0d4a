"""The profiles that are there, and what each says of itself."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from sinks.base import SinkProfile
from topology.nearest import hint


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Checked(_Part):
    """One source or one trial that a profile rests on."""

    what: str = Field(description="what was checked")
    against: str = Field(description="against what: a page, a file, a server, with its version")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="when")
    tried: bool = Field(False, description="on a running system, and not by reading")


class Need(_Part):
    """An option that only the user knows."""

    option: str = Field(description="where it stands, a.b", examples=["maps.assets"])
    says: str = Field(description="what it is")
    example: Any = Field(description="how it may look")


class Profile(_Part):
    """A file of this folder; its name is the profile's."""

    system: str = Field(description="whose", examples=["Odoo 19"])
    purpose: str = Field(description="what it makes of which records")
    kind: Literal["mes", "cmms", "qms", "notification"] = Field(description="what such systems are called")
    checked: tuple[Checked, ...] = Field(min_length=1, description="what it rests on")
    before: str = Field("", description="what has to be done in the system before")
    open: tuple[str, ...] = Field((), description="what nobody has checked, or cannot be done")
    needs: tuple[Need, ...] = Field((), description="options that only the user knows, beside base_url")
    config: dict[str, Any] = Field(description="options of the rest sink")

    @property
    def classes(self) -> tuple[str, ...]:
        """The message classes that it takes."""
        return tuple(dict.fromkeys(request["class"] for request in self.config["requests"]))

    @property
    def tried(self) -> bool:
        """Whether it ran against a real one."""
        return any(each.tried for each in self.checked)


@cache
def names() -> tuple[str, ...]:
    """All, in order."""
    found = (file.name for file in files(__package__).iterdir() if file.name.endswith(".yaml"))
    return tuple(sorted(name.removesuffix(".yaml") for name in found))


@cache
def load(name: str) -> Profile:
    """Raises `LookupError` for one that is not there."""
    if name not in names():
        raise LookupError(f"there is no profile {name!r}; {hint(name, names())}")
    return Profile.model_validate(yaml.safe_load((files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")))


def shown() -> Iterator[SinkProfile]:
    """What commands and pages show of each."""
    for name in names():
        profile = load(name)
        yield SinkProfile(
            name=name,
            system=profile.system,
            purpose=profile.purpose,
            kind=profile.kind,
            classes=profile.classes,
            checked=tuple(
                f"{'tried' if each.tried else 'read'}: {each.what}: {each.against} ({each.date})"
                for each in profile.checked
            ),
            open=profile.open,
            before=profile.before,
            start=_start(name, profile),
        )


def _start(name: str, profile: Profile) -> dict[str, Any]:
    """The least that one has to write."""
    config: dict[str, Any] = {"profile": name}
    if "base_url" not in profile.config:
        config["base_url"] = "https://host.example.com"
    if "auth" in profile.config:
        config["auth"] = {"secret_file": f"/run/secrets/{name}"}
    for need in profile.needs:
        inner = config
        *path, last = need.option.split(".")
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = need.example
    return config
