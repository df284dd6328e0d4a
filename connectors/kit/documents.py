"""Options and reading: a list of objects of JSON as rows of a table, by JMESPath; what a row says is then as of any table.

Pure: whatever a document holds, the answer is readings, facts or `Malformed`.
"""

import functools
import json
from typing import Any

from pydantic import Field

from connectors.base import Said
from connectors.kit.payloads import BadPayload, flat
from connectors.kit.row_shape import RowShape
from connectors.kit.rows import Row, RowReader
from connectors.kit.selector import MISSING, BadSelection, Selector, SelectorText

PAYLOAD_MAX = 1_000_000
"""Bytes of an item that go to quarantine with it."""


class DocumentShape(RowShape):
    """What a document of JSON holds, and what of an item is which column."""

    items: SelectorText | None = Field(
        None,
        description="where the document has the list, and which of it. JMESPath, as all that follows. None: it is the list, "
        "or one item",
        examples=["content", "data.orders[?status=='DONE']"],
    )
    columns: dict[str, SelectorText] = Field(
        default_factory=dict,
        description="column → what it is of an item. Empty: every field is a column, those inside others by dots",
        examples=[{"asset": "asset.name", "code": "failure.code", "by": "completedBy.name || 'cmms'"}],
    )

    @functools.cached_property
    def selectors(self) -> tuple[Selector | None, tuple[tuple[str, Selector], ...]]:
        """Of the list, and of the columns, compiled."""
        whole = None if self.items is None else Selector(self.items)
        return whole, tuple((name, Selector(text)) for name, text in self.columns.items())

    def listed(self, document: Any) -> list[Any]:
        """The items of a document. Raises `BadPayload` where there is no list."""
        selector = self.selectors[0]
        try:
            found = document if selector is None else selector.find(document)
        except BadSelection as error:
            raise BadPayload("bad_payload", str(error)) from None
        if found is MISSING or found is None:
            raise BadPayload("bad_payload", f"nothing is at `{self.items}`; check `items`")
        if isinstance(found, dict):
            return [found]
        if not isinstance(found, list):
            where = "the document" if self.items is None else f"`{self.items}`"
            raise BadPayload("bad_payload", f"{where} is no list of objects; check `items`")
        return found

    def taken(self, item: Any) -> Row:
        """The columns of an item. Raises `BadPayload`."""
        if not isinstance(item, dict):
            raise BadPayload("bad_payload", f"an item is a {type(item).__name__}, and no object")
        columns = self.selectors[1]
        if not columns:
            return dict(flat(item, 1))
        try:
            found = {name: selector.find(item) for name, selector in columns}
        except BadSelection as error:
            raise BadPayload("bad_payload", str(error)) from None
        return {name: part for name, part in found.items() if part is not MISSING}


class DocumentReader:
    """What the items of a shape say."""

    def __init__(self, shape: DocumentShape) -> None:
        self._shape, self._rows = shape, RowReader(shape)

    def said(self, origin: str, row: Row, item: Any) -> list[Said]:
        """What a row of an item says."""
        return self._rows.said(origin, row, item_bytes(item))


def item_bytes(item: Any) -> bytes:
    """An item as it goes to quarantine."""
    try:
        return json.dumps(item, ensure_ascii=True).encode()[:PAYLOAD_MAX]
    except RecursionError:
        return b"nested too deep"
