"""The file of the page's users: names, hashed passwords, roles by place. Written whole or not at all."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from topology.model.explain import in_words
from topology.namespace.path import BadPath
from topology.namespace.path import Path as Place
from uns.errors import UserError
from uns.web.access import passwords
from uns.web.access.roles import Grants, Role, Who

EVERYWHERE = "#"
"""In the file, for all places."""
USERS_MAX = 10_000
BYTES_MAX = 10_000_000
_NAME = re.compile(r"[^\W_][\w.@-]{0,59}")


class User(BaseModel):
    """One user."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    password: str = Field(description="hash of the password, as `uns users passwd` writes it", examples=["$argon2id$…"])
    roles: dict[str, str] = Field(
        description="place → viewer, operator, supervisor, engineer or admin there; `#`: everywhere",
        examples=[{"acme/dallas": "operator"}],
    )
    lasting: bool = Field(False, description="a wall screen: its session does not end by being idle; viewers only")

    @field_validator("password")
    @classmethod
    def _hashed(cls, kept: str) -> str:
        if not passwords.is_hash(kept):
            raise ValueError("is no hash; `uns users passwd NAME` writes one")
        return kept

    @field_validator("roles")
    @classmethod
    def _known(cls, roles: dict[str, str]) -> dict[str, str]:
        for place, word in roles.items():
            Role.of(word)
            if place != EVERYWHERE:
                try:
                    Place.parse(place)
                except BadPath as error:
                    raise ValueError(str(error)) from None
        return roles

    @model_validator(mode="after")
    def _only_looks(self) -> "User":
        if self.lasting and any(role > Role.VIEWER for role in self.grants.values()):
            raise ValueError("a lasting session is for viewers only: nobody watches a wall screen's keyboard")
        return self

    @property
    def grants(self) -> Grants:
        return {"" if place == EVERYWHERE else place: Role.of(word) for place, word in self.roles.items()}

    @property
    def stamp(self) -> str:
        """Changes with the password: sessions that began before end."""
        return hashlib.sha256(self.password.encode()).hexdigest()[:16]


class Sessions(BaseModel):
    """How long a session lasts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    idle_min: float = Field(30, gt=0, le=1440, description="it ends after so long without a touch or a click, minutes")
    absolute_h: float = Field(12, gt=0, le=168, description="it ends after so long whatever happens, hours")
    lasting_days: float = Field(90, gt=0, le=366, description="that of a wall screen ends then, days")


class Users(BaseModel):
    """All of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: dict[str, User] = Field({}, description="name → user", max_length=USERS_MAX)
    sessions: Sessions = Field(Sessions(), description="how long a session lasts")

    @field_validator("users")
    @classmethod
    def _named(cls, users: dict[str, User]) -> dict[str, User]:
        for name in users:
            if (wrong := name_fault(name)) is not None:
                raise ValueError(wrong)
        return users

    def who(self, name: str) -> Who | None:
        user = self.users.get(name)
        return None if user is None else Who(name, user.grants)


def name_fault(name: str) -> str | None:
    """What is wrong with a user's name; None: nothing."""
    if _NAME.fullmatch(name):
        return None
    return f"{name[:60]!r} is no user name: letters and digits, then also . _ @ -, at most 60 characters"


def read(file: Path) -> Users:
    """The users of a file; none where it does not exist. Raises `UserError` that says what is wrong in it, never a hash."""
    try:
        if file.stat().st_size > BYTES_MAX:
            raise UserError(f"{file}: larger than {BYTES_MAX // 1_000_000} MB; that is no file of users")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Users()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: users cannot be read: {error}") from error
    try:
        return Users.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        raise UserError(f"{file}: no YAML{where}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {in_words(e)}" for e in error.errors())
        raise UserError(f"{file}: {wrong}") from None


def write(file: Path, users: Users) -> None:
    """Replaces the file in one step; nobody but its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        yaml.safe_dump(users.model_dump(mode="json"), out, sort_keys=True, allow_unicode=True)
        out.flush()
        os.fsync(out.fileno())
    os.replace(new, file)


def changed(users: Users, name: str, user: User | None) -> Users:
    """The same with one user set, or taken out."""
    others: Mapping[str, User] = {other: kept for other, kept in users.users.items() if other != name}
    named = dict(others) if user is None else {**others, name: user}
    return Users(users=named, sessions=users.sessions)
