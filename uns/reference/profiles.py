"""The profiles of sinks as text: what one rests on, and the least that one has to write."""

from collections.abc import Iterable, Iterator

import yaml

from sinks.base import SinkProfile

_PURPOSE = """Known systems of record as data: `config: {profile: NAME, …}` takes one, and each option of your own goes over it.
`uns sink profiles NAME` prints what to write. “Tried” means that it ran against a running system, through crashes and lost
answers, and was compared value by value; “read” that its fields were found in what stands there."""


def entry(kind: str, profile: SinkProfile) -> str:
    """An entry of the plant model's `sinks`, to be filled in."""
    sink = {
        profile.name: {
            "kind": kind,
            "subscribe": {"filter": "acme/#", "classes": list(profile.classes)},
            "config": profile.start,
        }
    }
    return yaml.safe_dump({"sinks": sink}, sort_keys=False, allow_unicode=True, width=110)


def leaflet(kind: str, profile: SinkProfile) -> str:
    """All there is to say of one, for a terminal."""
    lines = [f"# {profile.system}: {profile.purpose}.", *_commented("Before", profile.before.split("\n"))]
    lines += [*_commented("Checked", profile.checked), *_commented("Not checked, or not to be had", profile.open)]
    return "\n".join([*lines, entry(kind, profile)]).rstrip()


def _commented(title: str, lines: Iterable[str]) -> Iterator[str]:
    written = [line for line in lines if line.strip()]
    if written:
        yield f"# {title}:"
        yield from (f"#   {line}" for line in written)


def page(note: str, profiles: Iterable[tuple[str, SinkProfile]]) -> str:
    """A page of Markdown: a table of all, then each."""
    known = list(profiles)
    lines = [
        "# Profiles of sinks",
        _PURPOSE,
        "",
        note,
        "| Profile | System | For | Records | State |",
        "|---|---|---|---|---|",
    ]
    for kind, profile in known:
        classes = ", ".join(f"`{name}`" for name in profile.classes)
        state = "tried" if any(words.startswith("tried") for words in profile.checked) else "read"
        lines.append(
            f"| [{profile.name}](#{profile.name}) | {profile.system} | {profile.kind} ({kind}) | {classes} | {state} |"
        )
    for kind, profile in known:
        lines += [
            "",
            f"## {profile.name}",
            f"{_sentence(profile.purpose)} {profile.before.strip()}".replace("\n", " "),
            "",
        ]
        lines += [f"- {words}" for words in profile.checked]
        lines += [f"- open: {words}" for words in profile.open]
        lines += ["", "```yaml", entry(kind, profile).rstrip(), "```"]
    return "\n".join(lines).rstrip() + "\n"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."
