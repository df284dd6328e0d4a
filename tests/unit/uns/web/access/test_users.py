"""The file of users: what is in it, what is wrong with it, and that it holds no password."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uns.cli.app import app
from uns.errors import UserError
from uns.web.access import passwords
from uns.web.access.opening import FLAG, check
from uns.web.access.roles import Role
from uns.web.access.users import read

SECRET = "correct horse battery"


def run(file: Path, *arguments: str, password: str | None = SECRET) -> str:
    typed = None if password is None else password + "\n"
    result = CliRunner().invoke(app, ["users", *arguments, "--file", str(file)], input=typed)
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_users_are_added_listed_changed_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "in" / "users.yaml"
    run(file, "add", "ann", "--role", "acme/dallas=operator", "--role", "viewer")
    run(file, "add", "wall1", "--role", "viewer", "--lasting")
    assert "viewer everywhere, operator at acme/dallas" in run(file, "list")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert SECRET not in file.read_text()
    before = read(file).users["ann"]
    assert before.grants == {"acme/dallas": Role.OPERATOR, "": Role.VIEWER}
    assert passwords.matches(before.password, SECRET)
    run(file, "passwd", "ann", password="another long one")
    after = read(file).users["ann"]
    assert after.grants == before.grants
    assert after.stamp != before.stamp
    assert not passwords.matches(after.password, SECRET)
    assert passwords.matches(after.password, "another long one")
    run(file, "remove", "ann", password=None)
    assert set(read(file).users) == {"wall1"}


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (["add", "ann", "--role", "boss"], SECRET, "is no role; there are viewer"),
        (["add", "ann", "--role", "Acme Corp=viewer"], SECRET, "path 'Acme Corp'"),
        (["add", "a b", "--role", "viewer"], SECRET, "is no user name"),
        (["add", "ann", "--role", "viewer"], "short", "10 to 200 characters"),
        (["add", "ann", "--role", "viewer"], "aaaaaaaaaaaa", "is guessed"),
        (["add", "wall", "--role", "operator", "--lasting"], SECRET, "for viewers only"),
        (["remove", "ann"], None, "has no user 'ann'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    arguments: list[str], password: str | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        run(tmp_path / "users.yaml", *arguments, password=password)
    assert not (tmp_path / "users.yaml").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("users: [ann", "no YAML in line 1"),
        ("users: {ann: {password: hunter2hunter2, roles: {}}}", "is no hash"),
        ("users: {ann: {roles: {}}}", "password"),
        ("sessions: {idle_min: 0}", "idle_min"),
        ("sesions: {}", "sesions"),
    ],
)
def test_a_wrong_file_says_where_and_repeats_no_secret(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "users.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=words) as refused:
        read(file)
    assert "hunter2" not in str(refused.value)
    assert str(file) in str(refused.value)


def test_there_are_no_users_where_there_is_no_file(tmp_path: Path) -> None:
    assert not read(tmp_path / "users.yaml").users


@pytest.mark.parametrize("kept", [None, "$argon2id$nonsense", ""])
def test_no_hash_matches_no_password(kept: str | None) -> None:
    assert not passwords.matches(kept, SECRET)
    assert not passwords.matches(kept, "nobody has this password")


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.168.1.5", "plant-host"])
def test_beyond_this_machine_it_opens_only_with_users_or_by_a_flag_in_full_words(bind: str) -> None:
    with pytest.raises(UserError, match=FLAG):
        check(bind, users=False, said=False)
    check(bind, users=True, said=False)
    check(bind, users=False, said=True)


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost", "::1", "127.3.2.1"])
def test_on_this_machine_nobody_has_to_sign_in(bind: str) -> None:
    check(bind, users=False, said=False)
