"""The parts of the page that are text: machine cards, the alert list, the namespace tree. Pure: board in, markup out."""

from html import escape
from typing import Any

from schemas.records import Alert, Value, is_good
from uns.web.line.board import Board, Cell
from uns.web.line.charts import clock, percent, span
from uns.web.theme import ALERT_COLORS, UNKNOWN, Look, look

STALE_US = 15 * 60 * 1_000_000
"""A snapshot older than this against the plant's clock is shown as no data; the fold refreshes each every `provisional_s`."""


def cell_look(board: Board, cell: Cell, live: bool) -> Look:
    """How the machine is drawn now. Without a live feed or a fresh snapshot nothing is known, whatever was known before."""
    if not live or cell.current is None or board.stale(cell, STALE_US):
        return UNKNOWN
    return look(cell.current.state, cell.current.mode)


def card(board: Board, cell: Cell, live: bool) -> str:
    """One machine: state with its glyph and word, time in state, order, shift counts, OEE with its three factors."""
    shown = cell_look(board, cell, live)
    current = cell.current
    if current is None:
        return _card(cell.name, shown, "never seen", "", "–", "")
    since = span(board.now - current.state_since) if current.state_since else "–"
    detail = f"{escape(current.state)} · {since}" if shown is not UNKNOWN else f"last seen {clock(current.last_seen)}"
    order = f"{escape(current.order or 'no order')} · {escape(current.product or '–')}"
    factors = (
        f"<span>A {percent(current.availability)}</span><span>P {percent(current.performance)}</span>"
        f"<span>Q {percent(current.quality)}</span><span>{current.good} good</span><span>{current.scrap} scrap</span>"
    )
    return _card(cell.name, shown, detail, order, percent(current.oee), factors)


def _card(name: str, shown: Look, detail: str, order: str, oee: str, factors: str) -> str:
    dashed = " dashed" if shown.dashed else ""
    return (
        f'<div class="machine{dashed}" style="--state:{shown.color}"><div class="bar"></div>'
        f'<div class="head"><b>{escape(name)}</b><span class="word">{shown.glyph} {shown.word}</span></div>'
        f'<div class="body"><div class="oee">{oee}<small>OEE this shift</small></div>'
        f'<div class="facts"><div>{detail}</div><div>{order}</div></div></div><div class="factors">{factors}</div></div>'
    )


def alert_row(alert: Alert, now: int) -> str:
    """One open alert: severity by colour and word, what, where, how long."""
    color = ALERT_COLORS.get(alert.severity, "#7f8a99")
    place = "/".join(alert.path.split("/")[1:])
    seen = f" · seen by {escape(alert.acknowledged_by)}" if alert.acknowledged_by else ""
    return (
        f'<div class="alert" style="--state:{color}"><span class="sev">{escape(alert.severity)}</span>'
        f"<div><div>{escape(_brief(alert))}</div><small>{escape(place)} · {clock(alert.started_at)} · "
        f"{span(now - alert.started_at)}{seen}</small></div></div>"
    )


def _brief(alert: Alert) -> str:
    # The place stands below the message already: the message needs the machine's name only.
    return alert.message.replace(alert.path, alert.path.rpartition("/")[2])


def tree(board: Board, live: bool) -> list[dict[str, Any]]:
    """The namespace as nodes for the tree view, tags with their last values as leaves. Ids are paths."""
    root: dict[str, Any] = {"children": {}}
    for path in board.paths():
        node = root
        segments = path.split("/")
        for depth, segment in enumerate(segments, 1):
            node = node["children"].setdefault(
                segment, {"id": "/".join(segments[:depth]), "label": segment, "children": {}}
            )
        cell = board.cells[path]
        shown = cell_look(board, cell, live)
        if cell.current is not None:
            node["label"] = f"{shown.glyph} {segments[-1]}"
            for tag in cell.current.tags:
                mark = "" if is_good(tag.quality) else " (bad quality)"
                node["children"][f"#{tag.tag}"] = {
                    "id": f"{path}#{tag.tag}",
                    "label": f"{tag.tag}  {value(tag.value)}{mark}",
                    "children": {},
                }
    return _nodes(root)


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": child["id"], "label": child["label"], "children": _nodes(child)} for child in node["children"].values()
    ]


def value(raw: Value) -> str:
    """A tag's value short enough for the tree."""
    if isinstance(raw, float):
        return f"{raw:.5g}"
    return "–" if raw is None else str(raw)[:40]
