"""Finds our object in a target, by what it carries: never by its place in a list, and never on half a list."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sinks.kit.answer import Answer, as_text, dig
from sinks.kit.template import UnfitValue, fields, fill, fill_url
from sinks.rest.calls import PAGING, Lookup
from sinks.rest.target import Refused, Target, Unproven

PAGES_MAX = 1_000


class Search(NamedTuple):
    """What a lookup has shown."""

    ours: dict[str, Any]
    """Id → object, of those that carry our natural id."""
    strangers: int
    whole: bool
    """All that the target has was shown."""
    url: str
    """Asked last."""


async def find(target: Target, lookup: Lookup, key_field: str, values: dict[str, Any]) -> str | None:
    """The id of the one object that carries our natural id; None: the target surely has none.

    Raises `Refused` where that cannot be told, beside what a request raises.
    """
    natural_id = values["natural_id"]
    ours, strangers, whole, url = await search(target, lookup, key_field, values)
    if len(ours) > 1:
        raise Refused("lookup_many", f"the target has {natural_id} {len(ours)} times: {', '.join(list(ours)[:5])}")
    if not ours and strangers and not whole:
        raise Refused(
            "lookup_strangers",
            f"{lookup.method} {url} answers with {strangers} objects whose {key_field!r} is not {_key(lookup, values)}: it "
            "ignores the filter, and ours may be on another page. Correct url or key_field, or state the pages: {page}, "
            "{offset}, next_field, whole",
        )
    return next(iter(ours), None)


async def search(target: Target, lookup: Lookup, key_field: str, values: dict[str, Any]) -> Search:
    """All objects that carry our key. Raises `Refused` where an answer cannot be understood, beside what a request
    raises."""
    key = _key(lookup, values)
    numbered = bool((fields(lookup.url) | fields(lookup.body)) & set(PAGING))
    ours: dict[str, Any] = {}
    seen, strangers, paged = 0, 0, numbered
    url, body = _page(lookup, values, 0, 0)
    first_of_page: Any = None
    for number in range(1, PAGES_MAX + 1):
        items, answer = await _items(target, lookup, url, body, values)
        if numbered and items and items[0] == first_of_page:
            raise Refused(
                "lookup", f"{lookup.method} {url}: every page is the same: the target ignores {{page}} and {{offset}}"
            )
        for item in items:
            if _carries(item, key_field, key, lookup.key_within):
                ours[_id(item, lookup, values)] = item
            else:
                strangers += 1
        seen += len(items)
        first_of_page = items[0] if items else None
        following = _following(answer, lookup)
        if following is not None:
            url, paged = target.below(following, url), True
        elif numbered and items:
            url, body = _page(lookup, values, number, seen)
        else:
            break
    else:
        raise Refused("lookup", f"{lookup.method} {url}: more than {PAGES_MAX} pages")
    return Search(ours, strangers, paged or lookup.whole, url)


def _key(lookup: Lookup, values: dict[str, Any]) -> str:
    try:
        key = as_text(fill(lookup.key, values))
    except UnfitValue as error:
        raise Refused("unfit", str(error)) from None
    if key is None:
        raise Refused("unfit", f"lookup: key {lookup.key!r} makes no text of this record")
    return key


def _carries(item: Any, key_field: str, key: str, within: bool) -> bool:
    found = dig(item, key_field)
    if within:
        return bool(key) and isinstance(found, str) and key in found
    return found is not None and as_text(found) == key


async def _items(
    target: Target, lookup: Lookup, url: str, body: Any, values: dict[str, Any]
) -> tuple[list[Any], Answer]:
    try:
        answer = await target.ask(lookup.method, url, lookup.success, values, body or None)
    except Refused as refused:
        if refused.reason in {f"http_{status}" for status in lookup.absent}:
            return [], Answer(404)
        raise
    except Unproven as error:
        raise Refused("lookup", str(error)) from None
    body = answer.body[0] if answer.body else None
    items = body if lookup.items_field is None else dig(body, lookup.items_field)
    if isinstance(items, dict):
        items = [items]  # asked for one by its key
    if not isinstance(items, list):
        where = "the answer" if lookup.items_field is None else f"{lookup.items_field!r} of the answer"
        raise Refused("lookup", f"{lookup.method} {url}: {where} is no list; check items_field: {answer.words}")
    return items, answer


def _id(item: Any, lookup: Lookup, values: dict[str, Any]) -> str:
    try:
        found = dig(item, lookup.id_field) if lookup.id is None else fill(lookup.id, {**values, "item": item})
    except UnfitValue as error:
        raise Refused("no_id", f"the target has {values['natural_id']}: {error}") from None
    remote_id = as_text(found)
    if remote_id is None:  # it is there: making it again would be wrong
        raise Refused("no_id", f"the target has {values['natural_id']}, without {lookup.id_field!r}; check lookup")
    return remote_id


def _page(lookup: Lookup, values: dict[str, Any], number: int, seen: int) -> tuple[str, Any]:
    """Url and body."""
    paged = {**values, "page": lookup.page_from + number, "offset": seen}
    try:
        return fill_url(lookup.url, paged), fill(lookup.body, paged)
    except UnfitValue as error:
        raise Refused("unfit", str(error)) from None


def _following(answer: Answer, lookup: Lookup) -> str | None:
    """Where the next page is, by what the answer says of itself."""
    if lookup.next_field is not None:
        said = dig(answer.body[0] if answer.body else None, lookup.next_field)
        return said if isinstance(said, str) and said else None
    return next(_linked(answer.headers.get("link", "")), None)


def _linked(header: str) -> Iterator[str]:
    """Targets of `rel=next` in a `Link` (RFC 8288)."""
    for part in header.split(",<"):
        address, _, rest = part.strip().lstrip("<").partition(">")
        options = (option.strip().replace('"', "").lower().split("=") for option in rest.split(";"))
        if any(name.strip() == "rel" and "next" in value.split() for name, *values in options for value in values):
            yield address
