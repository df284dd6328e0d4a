"""What the screen of alarms says of a place and all inside it. Pure."""

from typing import Any

from processors.alarms.performance import USUAL, Performance, performance
from schemas.records import Alert
from uns.reports.alarms import HIDDEN, annunciations, open_alarms
from uns.web.board import Board
from uns.web.namespace import ancestors
from uns.web.screen import UnknownPlace, View, Visit

LIST_MAX, HISTORY_MAX = 200, 200
HOUR_US, MINUTE_US = 3_600_000_000, 60_000_000
PERIODS = {"1h": HOUR_US, "8h": 8 * HOUR_US, "24h": 24 * HOUR_US}


def view(board: Board, visit: Visit) -> View:
    """Option `period` (1h, 8h, 24h): of the figures and the history."""
    known = list(dict.fromkeys(place for path in board.paths() for place in ancestors(path)))
    place = visit.place or (known[0] if known else "")
    if place not in known:
        if visit.place:
            raise UnknownPlace(place, known)
        return {"place": None}
    period = visit.options.get("period", "8h")
    period = period if period in PERIODS else "8h"
    end = board.now - board.now % MINUTE_US + MINUTE_US
    begin = end - PERIODS[period]
    alerts = [alert for alert in board.alerts_of(place) if not alert.withdrawn]
    standing = open_alarms(alerts)
    over = [alert for alert in alerts if alert.state == "cleared" and (alert.ended_at or 0) >= begin]
    over.sort(key=lambda alert: -alert.started_at)
    return {
        "place": {"path": place, "promise_s": board.promise_s},
        "open": {"list": [_alarm(of) for of in standing[:LIST_MAX]], "more": max(len(standing) - LIST_MAX, 0)},
        "figures": {"period": period, **_figures(performance(annunciations(alerts), begin, end))},
        "history": {"list": [_alarm(of) for of in over[:HISTORY_MAX]], "more": max(len(over) - HISTORY_MAX, 0)},
    }


def _alarm(of: Alert) -> dict[str, Any]:
    return {
        "id": of.natural_id,
        "path": of.path,
        "alarm": of.alarm or of.kind,
        "severity": of.severity,
        "state": of.state,
        "alarm_state": of.alarm_state or of.state,
        "hidden": of.state in HIDDEN,
        # The place stands beside the message already.
        "message": of.message.replace(of.path, of.path.rpartition("/")[2]),
        "since": of.started_at,
        "ended": of.ended_at,
        "by": of.acknowledged_by,
        "seen_at": of.acknowledged_at,
        "comment": of.comment,
        "hidden_by": of.hidden_by,
        "hidden_until": of.hidden_until,
        "first": bool(of.first_out),
    }


def _figures(of: Performance) -> dict[str, Any]:
    """Each beside what EEMUA 191 aims at."""
    return {
        "begin": of.started_at,
        "end": of.ended_at,
        "alarms": of.alarms,
        "per_hour": of.per_operator_hour,
        "verdict": of.verdict,
        "worst": of.worst_ten_minutes,
        "flood_share": of.flood_share,
        "top_share": of.top_share,
        "top": [{"path": one.path, "alarm": one.alarm, "times": one.times, "share": one.share} for one in of.top],
        "chattering": [{"path": one.path, "alarm": one.alarm, "times": one.times} for one in of.chattering],
        "stale": [{"path": one.path, "alarm": one.alarm, "since": one.at} for one in of.stale],
        "priorities": [{"name": name, "share": share, "aim": USUAL[name]} for name, share in of.by_priority.items()],
    }
