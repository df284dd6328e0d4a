"""What the topic browser says: what is inside a place, what a search finds, and one tag with all that is known of it. Pure."""

from typing import Any

from schemas.records import is_good, is_uncertain
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import topic
from uns.web.access.roles import holds
from uns.web.browser.catalog import CHILDREN_MAX, Catalog
from uns.web.screen import UnknownPlace, View, Visit

FOUND_MAX = 50
TEXT_MAX = 200


def view(catalog: Catalog, visit: Visit) -> View:
    """Options: `find` (words), `tag` (of a machine), `from` (which child is the first)."""
    place = visit.place
    begin = visit.options.get("from", "")
    rows, count = catalog.children(place, int(begin) if begin.isdigit() and len(begin) < 7 else 0)
    if place and not count:
        raise UnknownPlace(place, catalog.places())
    said: View = {
        "place": {"path": place, "counts": catalog.counts},
        "children": {
            "count": count,
            "page": CHILDREN_MAX,
            "rows": [row._asdict() | _value(catalog, *_split(row.id)) for row in rows],
        },
    }
    if find := visit.options.get("find", "").strip():
        said["found"] = _found(catalog, find, place)
    tag = visit.options.get("tag", "")
    if tag and catalog.has(place, tag):
        said["tag"] = _tag(catalog, place, tag)
    return said


def _split(id_: str) -> tuple[str, str]:
    path, _, tag = id_.partition("#")
    return path, tag


def _found(catalog: Catalog, find: str, place: str) -> dict[str, Any]:
    """What a search finds at a place and inside it."""
    found = catalog.search(f"{find} {place}", FOUND_MAX)
    rows = [
        {"path": entry.path, "tag": entry.tag, "unit": entry.unit, "about": entry.about}
        | _value(catalog, entry.path, entry.tag)
        for entry in found.entries
        if holds(place, entry.path)
    ]
    return {"count": found.total, "like": found.like, "rows": rows}


def _value(catalog: Catalog, path: str, tag: str) -> dict[str, Any]:
    sample = catalog.sample(path, tag) if tag else None
    if sample is None:
        return {}
    value = sample.value[:TEXT_MAX] if isinstance(sample.value, str) else sample.value
    quality = "good" if is_good(sample.quality) else "uncertain" if is_uncertain(sample.quality) else "bad"
    return {"value": value, "quality": quality, "code": sample.quality, "at": sample.at}


def _tag(catalog: Catalog, path: str, tag: str) -> dict[str, Any]:
    """One tag: what it is, where it lies, and how to read it from elsewhere."""
    unit, about = catalog.about(path, tag)
    raw = topic(Path.parse(path), MessageClass.RAW)
    return {
        "path": path,
        "tag": tag,
        "unit": unit,
        "about": about,
        "raw": raw,
        "derived": [topic(Path.parse(path), name) for name in DERIVED],
        "snippets": snippets(path, tag, raw),
        **_value(catalog, path, tag),
    }


def snippets(path: str, tag: str, raw: str) -> dict[str, str]:
    """Lines to copy, for a shell or a program beside this plant."""
    return {
        "python": (
            "from uns.client import connect_sync\n\n"
            "with connect_sync() as namespace:\n"
            f'    for message in namespace.subscribe("{path}", ["current"]):\n'
            f'        print([sample for sample in message.record.tags if sample.tag == "{tag}"])'
        ),
        "shell": f"uns get '{path}'\nuns tail '{path}' -c current --json",
        "kcat": f"kcat -b $UNS_BOOTSTRAP -t {raw} -o -100 -e -s value=avro -r $UNS_REGISTRY -f '%k %T %s\\n' | grep '^{path} '",
        "mqtt": f"mosquitto_sub -h $BROKER -t '{path}/#' -v",
    }
