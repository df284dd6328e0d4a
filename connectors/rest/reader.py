"""One query's way through its pages: which to ask for next, what their items say, and how far that reaches. Pure."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from connectors.base import Malformed, Position, Said
from connectors.kit.cursor import entries
from connectors.kit.documents import DocumentReader, item_bytes
from connectors.kit.mark import BadMark, Mark, Place, ahead, before
from connectors.kit.message import MESSAGE_MAX
from connectors.kit.payloads import BadPayload, document
from connectors.kit.selector import MISSING, BadSelection, Selector
from connectors.kit.times import BadTime, micros, shown
from connectors.kit.told import TOLD_MAX, Told
from connectors.rest.config import PLACE, Query

ANSWER_BYTES_MAX = 16_000_000
PAGES_MAX = 10_000
BATCH_MAX = 1_000
"""Things of a batch, about."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadAnswer(Exception):
    """An answer that is no list of items, or no page of one; the words say what to correct."""


class Answer(NamedTuple):
    """What the server gave: the body of a 200, and where it says that the next page is."""

    body: bytes
    following: str | None = None
    """Of `Link: rel=next`."""


class Part(NamedTuple):
    """What some items say, and how the cursor changes behind them."""

    said: list[Said]
    cursor: dict[str, Position | None]


class Page(NamedTuple):
    """What came of one answer. `then`: what to ask for next; None: the pass is over."""

    parts: list[Part]
    then: str | None


class QueryReader:
    """Goes through a query's items in passes, each from an overlap before the newest watermark on to the last page.

    The place moves at the end of a pass: until then nobody knows whether a page that is still to come has older ones. Pages
    that are counted shift while they are read, as items come and go, and one may slip through: after more than one page it
    moves only to where it was known to be as the pass began, so that the next pass reads them again.
    """

    def __init__(self, query: Query, place: Place | None, base_url: str) -> None:
        self.query = query
        self._base_url = base_url
        self._mark = None if place is None else place.mark
        self._newest = self._begun = self._mark
        self._told = Told({} if place is None else place.told)
        self._reader = DocumentReader(query)
        self._key = tuple(Selector(text) for text in query.key)
        self._watermark = None if query.watermark is None else Selector(query.watermark)
        self._next = None if query.next is None else Selector(query.next)
        self._pages = self._seen = self._ahead = self._without = 0
        self._first: bytes | None = None
        """The first item of the page before."""

    # -- what is asked -----------------------------------------------------------------------------------------

    def begin(self) -> str:
        """The url of a pass's first page."""
        self._told.begin()
        self._pages = self._seen = self._ahead = self._without = 0
        self._first, self._begun = None, self._newest
        return self._url("")

    def _url(self, cursor: str) -> str:
        values = {
            "since": self._since,
            "page": str(self.query.page_from + self._pages),
            "offset": str(self._seen),
            "cursor": cursor,
        }
        return PLACE.sub(lambda place: quote(values[place[1]], safe=""), self.query.url)

    @property
    def _since(self) -> str:
        query = self.query
        since: Any = query.begin
        if self._mark is not None:
            earlier = before(self._mark.watermark, query.overlap_s, query.overlap_numbers)
            since = self._mark.watermark if earlier is None else earlier
        if query.watermark_is == "number":
            return str(0 if since is None else since)
        return _written(max(since or _EPOCH, _EPOCH), query)

    # -- what is answered --------------------------------------------------------------------------------------

    def take(self, answer: Answer, now: datetime) -> Page:
        """What an answer says, at a time in UTC. Raises `BadAnswer`; then nothing of it is told."""
        try:
            read = document(answer.body, ANSWER_BYTES_MAX)
            items = self.query.listed(read)
        except BadPayload as bad:
            raise BadAnswer(str(bad)) from None
        then = self._following(read, items, answer.following)
        parts: list[Part] = []
        said: list[Said] = []
        for item in items:
            said += self._said(item, now)
            if len(said) >= BATCH_MAX:
                parts.append(Part(said, self._reached()))
                said = []
        if then is None:
            self._told.end()
            self._mark = self._begun if self.query.numbered and self._pages > 1 else self._newest
        if said:
            parts.append(Part(said, self._reached()))
        elif then is None and parts:
            parts[-1] = Part(parts[-1].said, {**parts[-1].cursor, **self._reached()})
        return Page(parts, then)

    def _said(self, item: Any, now: datetime) -> list[Said]:
        query, origin = self.query, self.query.name
        try:
            row, key = query.taken(item), self._key_of(item)
        except BadPayload as bad:
            content = item_bytes(item)  # which is all that it can be known by
            if not self._told.news(Mark(None, (content,)), {}):
                return []
            return [Malformed(origin, content, bad.reason, f"{origin}: {bad}"[:MESSAGE_MAX])]
        origin = f"{origin}: {', '.join(part[:60] for part in key)}"
        watermark = self._watermark_of(item)
        if watermark is not None:
            self._reach(Mark(watermark, ()), now)
        elif self._watermark is not None:
            self._without += 1
        return self._reader.said(origin, row, item) if self._told.news(Mark(watermark, key), row) else []

    def _key_of(self, item: Any) -> tuple[str, ...]:
        """Raises `BadPayload`."""
        found = []
        for selector in self._key:
            try:
                part = selector.find(item)
            except BadSelection as error:
                raise BadPayload("bad_payload", str(error)) from None
            if part is MISSING or part is None or isinstance(part, dict | list):
                raise BadPayload(
                    "no_key", f"the item has no key: `{selector.text}` is {shown(None if part is MISSING else part)}"
                )
            found.append(json.dumps(part))
        return tuple(found)

    def _watermark_of(self, item: Any) -> int | datetime | None:
        """None: it has none that could be one."""
        if self._watermark is None:
            return None
        query = self.query
        try:
            found = self._watermark.find(item)
            if query.watermark_is == "number":
                return int(found) if isinstance(found, int | str) and not isinstance(found, bool) else None
            if found is MISSING or found is None:
                return None
            return _EPOCH + timedelta(microseconds=micros(found, query.time, query.zone_info, query.time_format))
        except (BadSelection, BadTime, ValueError):
            return None

    def _reach(self, mark: Mark, now: datetime) -> None:
        """One that is still to come, as a clock that is off writes it, would have us miss all before it."""
        if ahead(mark.watermark, now):
            self._ahead += 1
        elif self._newest is None or mark.watermark > self._newest.watermark:
            self._newest = mark

    def _reached(self) -> dict[str, Position | None]:
        try:
            return entries(self.query.name, self._mark, self._told.changes())
        except BadMark as error:  # pragma: no cover - a mark of ours is a time or a number
            raise BadAnswer(str(error)) from None

    # -- the next page -----------------------------------------------------------------------------------------

    def _following(self, read: Any, items: Sequence[Any], linked: str | None) -> str | None:
        """Raises `BadAnswer`."""
        self._pages += 1
        self._seen += len(items)
        first = item_bytes(items[0]) if items else None
        same, self._first = first is not None and first == self._first, first
        if self._next is not None or linked is not None:
            said = linked if self._next is None else self._token(read)
            if not said:
                return None
            following = self._url(said) if "{cursor}" in self.query.url else self._below(said)
        elif self.query.numbered and items and len(items) >= (self.query.page_items or 0):
            following = self._url("")
        else:
            return None
        if same:
            raise BadAnswer("every page is the same: the server ignores {page}, {offset} or {cursor}")
        if self._pages >= PAGES_MAX:
            raise BadAnswer(f"more than {PAGES_MAX} pages; ask for larger ones, or for less")
        return following

    def _token(self, read: Any) -> str | None:
        assert self._next is not None
        try:
            said = self._next.find(read)
        except BadSelection as error:
            raise BadAnswer(str(error)) from None
        return str(said) if isinstance(said, str | int) and not isinstance(said, bool) else None

    def _below(self, said: str) -> str:
        """An address of the server's, as an url below ours: our secret goes nowhere else. Raises `BadAnswer`."""
        whole = urljoin(f"{self._base_url}/", said)
        wrong = urlsplit(whole)[:2] != urlsplit(self._base_url)[:2]
        if wrong or not whole.startswith(f"{self._base_url}/"):
            raise BadAnswer(f"the next page is {'at another host' if wrong else 'not below url'}: {whole[:200]}")
        return whole.removeprefix(self._base_url)

    def problem(self) -> str | None:
        """What is not read as it was asked for."""
        if self._without:
            return f"{self._without} items have no `{self.query.watermark}` that is a {self.query.watermark_is}; they are told all the same"
        if self._ahead:
            return f"{self._ahead} items have a `{self.query.watermark}` that is still to come; is a clock off? They are told"
        if self._told.full:
            return f"more than {TOLD_MAX} items are in the list or its overlap: some are told again, the same; ask for less"
        return None


def _written(moment: datetime, query: Query) -> str:
    """A time as {since} has it, never later than it is."""
    match query.since_format:
        case "iso":
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
        case "s":
            return str((moment - _EPOCH) // timedelta(seconds=1))
        case "ms":
            return str((moment - _EPOCH) // timedelta(milliseconds=1))
        case written:
            return moment.astimezone(query.zone_info or UTC).strftime(written)
