"""The parts of the page that are text: machine cards, the alert list. Pure: board in, markup out."""

from html import escape

from schemas.records import Alert
from uns.web.line.board import Board, CellBoard
from uns.web.namespace import snapshot_look
from uns.web.text import clock, percent, seen, span
from uns.web.theme import ALERT_COLORS, NOT_OBSERVED, UNKNOWN, StateLook


def cell_look(board: Board, cell: CellBoard, live: bool) -> StateLook:
    """How the machine is drawn now. Without a live feed or a fresh snapshot nothing is known, whatever was known before."""
    return snapshot_look(cell.current, board.now, live)


def card(board: Board, cell: CellBoard, live: bool) -> str:
    """One machine: state with its glyph and word, time in state, order, shift counts, OEE with its three factors."""
    shown = cell_look(board, cell, live)
    current = cell.current
    if current is None:
        return _card(cell.name, shown, "never seen", "", "–", "")
    since = span(board.now - current.state_since) if current.state_since else "–"
    detail = (
        f"{escape(current.state)} · {since}"
        if shown not in (UNKNOWN, NOT_OBSERVED)
        else f"last seen {clock(current.last_seen)}"
    )
    order = f"{escape(current.order or 'no order')} · {escape(current.product or '–')}"
    factors = (
        f"<span>A {percent(current.availability)}</span><span>P {percent(current.performance)}</span>"
        f"<span>Q {percent(current.quality)}</span><span>{current.good} good</span><span>{current.scrap} scrap</span>"
    )
    words = seen(current.coverage, current.why_null)
    if (off := board.clock_off_us(cell)) is not None:  # a machine that is off so far looks as if it were silent
        words = f"its clock is {span(abs(off))} {'ahead' if off > 0 else 'behind'}: set it" + (
            f" · {words}" if words else ""
        )
    return _card(cell.name, shown, detail, order, percent(current.oee), factors, words)


def _card(name: str, shown: StateLook, detail: str, order: str, oee: str, factors: str, coverage: str = "") -> str:
    dashed = " dashed" if shown.dashed else ""
    return (
        f'<div class="machine{dashed}" style="--state:{shown.color}"><div class="bar"></div>'
        f'<div class="head"><b>{escape(name)}</b><span class="word">{shown.glyph} {shown.word}</span></div>'
        f'<div class="body"><div class="oee">{oee}<small>OEE this shift</small></div>'
        f'<div class="facts"><div>{detail}</div><div>{order}</div></div></div><div class="factors">{factors}</div>'
        + (f'<div class="coverage">{escape(coverage)}</div></div>' if coverage else "</div>")
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
