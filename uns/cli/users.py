"""`uns users …`: who may sign in at the page, and what they may do where."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import app, emit, group
from uns.cli.options import JsonOption
from uns.errors import UserError

if TYPE_CHECKING:
    from uns.web.access.users import User, Users

users = group(
    "Users of the page: add, remove, list, passwd.", dict.fromkeys(("add", "remove", "list", "passwd"), "users")
)
app.add_typer(users, name="users")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="the user's name, e.g. ann")]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="file of users (default: UNS_USERS, else users.yaml in UNS_STATE_DIR)")
]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option("--password-file", help="file with the password; else it is asked for, or read from standard input"),
]


@users.command()
def add(
    user: NameArgument,
    role: Annotated[
        list[str],
        typer.Option(
            "--role",
            help="viewer, operator, supervisor, engineer or admin, everywhere, or at a place and inside it, "
            "e.g. acme/dallas=operator; again for more",
        ),
    ],
    lasting: Annotated[bool, typer.Option("--lasting", help="a wall screen's: its session is never idle")] = False,
    password_file: PasswordFileOption = None,
    file: FileOption = None,
) -> None:
    """Let somebody sign in at the page. A running page knows it at once, if it had users as it began."""
    from uns.web.access.users import changed, name_fault, write

    if (wrong := name_fault(user)) is not None:
        raise UserError(wrong)
    where, known = _users(file)
    if user in known.users:
        raise UserError(f"{user} is there already; `uns users passwd` changes a password, `uns users remove` removes")
    write(where, changed(known, user, _user(user, role, lasting, _password(user, password_file))))
    typer.echo(f"{user} may sign in; users are in {where}")


@users.command()
def remove(user: NameArgument, file: FileOption = None) -> None:
    """Take a user out: their sessions end at once."""
    from uns.web.access.users import changed, write

    where, known = _users(file)
    _there(known, user, where)
    write(where, changed(known, user, None))
    typer.echo(f"{user} may not sign in any more")


@users.command("list")
def list_(file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show who may sign in, and what they may do where."""
    where, known = _users(file)
    if as_json:
        rows = [
            {"name": name, "roles": dict(user.roles), "lasting": user.lasting} for name, user in known.users.items()
        ]
        emit({"file": str(where), "users": rows})
        return
    for name, user in sorted(known.users.items()):
        roles = ", ".join(
            f"{word} everywhere" if place == "#" else f"{word} at {place}" for place, word in user.roles.items()
        )
        typer.echo(f"{name:<20} {roles}{', lasting' if user.lasting else ''}")
    if not known.users:
        typer.echo(f"no users in {where}; `uns users add NAME --role operator` adds one")


@users.command()
def passwd(user: NameArgument, password_file: PasswordFileOption = None, file: FileOption = None) -> None:
    """Change a password: sessions that began before end at once."""
    from uns.web.access.users import changed, write

    where, known = _users(file)
    _there(known, user, where)
    before = known.users[user]
    roles = [f"{place}={word}" for place, word in before.roles.items()]
    write(where, changed(known, user, _user(user, roles, before.lasting, _password(user, password_file))))
    typer.echo(f"the password of {user} is changed")


def _users(file: Path | None) -> "tuple[Path, Users]":
    from uns.runtime.running import effective_settings
    from uns.web.access.users import read

    where = file or effective_settings().users_file
    return where, read(where)


def _there(known: "Users", name: str, where: Path) -> None:
    from topology.nearest import hint

    if name not in known.users:
        raise UserError(
            f"{where} has no user {name!r}; {hint(name, sorted(known.users)) if known.users else 'it has none'}"
        )


def grants(roles: list[str]) -> dict[str, str]:
    """`acme/dallas=operator` or `operator` → place → role. Raises `UserError`."""
    from topology.namespace.path import BadPath
    from topology.namespace.path import Path as Place
    from uns.web.access.roles import Role
    from uns.web.access.users import EVERYWHERE

    found: dict[str, str] = {}
    for told in roles:
        place, sign, word = told.rpartition("=")
        try:
            found[(place if sign else "") or EVERYWHERE] = Role.of(word).word
            if sign and place != EVERYWHERE:
                Place.parse(place)
        except (ValueError, BadPath) as error:
            raise UserError(f"--role {told}: {error}") from error
    return found


def _user(name: str, roles: list[str], lasting: bool, password: str) -> "User":
    from pydantic import ValidationError

    from topology.model.explain import in_words
    from uns.web.access import passwords
    from uns.web.access.users import User

    try:
        return User(password=passwords.hashed(password), roles=grants(roles), lasting=lasting)
    except ValidationError as error:
        raise UserError(f"{name}: {'; '.join(map(in_words, error.errors()))}") from None
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def _password(name: str, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"the password cannot be read: {error}") from error
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True))
