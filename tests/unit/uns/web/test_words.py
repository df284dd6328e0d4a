"""Every word of the screens is there in both languages, and every colour can be read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from uns.web.screen import registered
from uns.web.theme import LOOKS, THEMES, css
from uns.web.words import LANGUAGES, STATIC, words

FOLDERS = {name: spec.static for name, spec in registered().items() if "uns/web" in spec.static.as_posix()}
LANG = [STATIC / "lang", *(folder / "lang" for folder in FOLDERS.values())]


@pytest.mark.parametrize("folder", LANG, ids=lambda folder: folder.parts[-3])
def test_both_languages_say_the_same_with_the_same_places(folder: Path) -> None:
    english, german = (json.loads((folder / f"{language}.json").read_text(encoding="utf-8")) for language in LANGUAGES)
    assert english
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", german[key])), key
        assert text.strip()
        assert german[key].strip()


def used() -> Iterator[tuple[str, str]]:
    """(screen or empty, key) of each word that a script asks for by name."""
    for screen, folder in [("", STATIC), *FOLDERS.items()]:
        for script in folder.rglob("*.js"):
            if "vendor" not in script.parts:
                for key in re.findall(r"""(?:page|this)\.t\(\s*["']([\w.]+)["']""", script.read_text(encoding="utf-8")):
                    yield screen, key


def test_every_word_that_is_asked_for_is_there() -> None:
    known = words("en", FOLDERS)
    asked = set(used())
    assert len(asked) > 80
    missing = [(screen, key) for screen, key in asked if key not in known and f"{screen}.{key}" not in known]
    assert missing == []


def test_every_state_has_a_word_a_glyph_and_a_look_of_its_own() -> None:
    known = words("de", FOLDERS)
    assert {f"state.{look.key}" for look in LOOKS} <= known.keys()
    assert len({look.glyph for look in LOOKS}) == len({look.key for look in LOOKS}) == len(LOOKS)
    told = [(look.glyph, look.pattern) for look in LOOKS]
    assert len(set(told)) == len(told)


def luminance(color: str) -> float:
    """Relative luminance after WCAG 2."""
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_every_colour(theme: str) -> None:
    poor = {}
    for token, (area, ink) in THEMES[theme].items():
        bright, dark = sorted((luminance(area), luminance(ink)), reverse=True)
        if (contrast := (bright + 0.05) / (dark + 0.05)) < 4.5:
            poor[token] = round(contrast, 2)
    assert poor == {}
    assert f"[data-theme={theme}]" in css()


def test_both_themes_have_the_same_tokens() -> None:
    first, *others = (set(colors) for colors in THEMES.values())
    assert others
    assert all(other == first for other in others)
    assert {look.key for look in LOOKS} <= first
