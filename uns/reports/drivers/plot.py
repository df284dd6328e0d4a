"""A funnel plot as SVG: levels by exposure, with the curves of 95 % and 99.8 %. No library, no fonts to fetch."""

from xml.sax.saxutils import escape

from processors.analysis.association import Kind
from processors.analysis.funnel import ACTION, WARNING, Funnel, limits_at

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 440, 70, 50, 40, 20
STEPS = 120


def svg(found: Funnel, kind: Kind, title: str, unit: str, exposure_unit: str, spread: float = 1.0) -> str:
    """The drawing; levels beyond 99.8 % are red and named, those beyond 95 % amber."""
    scale = 100.0 if kind == "share" else 1.0
    most = max(point.exposure for point in found.points) * 1.05
    least = min(point.exposure for point in found.points) * 0.8
    values = [value for point in found.points for value in (point.value, *point.action)]
    low, high = min(values), max(values)
    high += (high - low or 1.0) * 0.05

    def x(exposure: float) -> float:
        return LEFT + (exposure - least) / (most - least) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{_named(title)}</text>',
        _line(LEFT, y(found.target), WIDTH - RIGHT, y(found.target), "#555", ""),
    ]
    exposures = [least + (most - least) * step / STEPS for step in range(STEPS + 1)]
    for level, dash in ((WARNING, "6 4"), (ACTION, "")):
        for side in (0, 1):
            places = [
                (x(at), y(min(max(limits_at(found, kind, at, level, spread)[side], low), high))) for at in exposures
            ]
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="#1f6feb" stroke-dasharray="{dash}"/>')
    for point in found.points:
        colour = {"action": "#cf222e", "warning": "#bf8700"}.get(point.outside or "", "#24292f")
        parts.append(f'<circle cx="{x(point.exposure):.1f}" cy="{y(point.value):.1f}" r="4" fill="{colour}"/>')
        if point.outside == "action":
            parts.append(
                f'<text x="{x(point.exposure) + 6:.1f}" y="{y(point.value) - 6:.1f}">{_named(point.name)}</text>'
            )
    parts += [
        _line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#24292f", ""),
        _line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "#24292f", ""),
    ]
    for part in range(5):
        value, exposure = low + (high - low) * part / 4, least + (most - least) * part / 4
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value * scale:.3g}</text>')
        parts.append(
            f'<text x="{x(exposure):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{exposure:.4g}</text>'
        )
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 10}" text-anchor="end">{escape(exposure_unit)}</text>')
    parts.append(f'<text x="10" y="{TOP - 6}">{escape(unit)}</text></svg>')
    return "\n".join(parts) + "\n"


def _named(text: str) -> str:
    """Text as XML can hold it."""
    return escape("".join(letter if letter.isprintable() else "�" for letter in text))


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-dasharray="{dash}"/>'
    )
