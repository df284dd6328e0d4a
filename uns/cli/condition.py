"""`uns condition replace | life | bearing`: when to replace a part, how long one lasts, which part of a bearing a peak is of."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import UserError, app, emit, group
from uns.cli.options import JsonOption

if TYPE_CHECKING:
    from processors.condition.life import Shape

condition = group(
    "Condition of machines: remaining life and replacement by age from files, fault frequencies of a bearing.",
    dict.fromkeys(("replace", "life", "bearing"), "condition"),
)
app.add_typer(condition, name="condition")


@condition.command()
def replace(
    lives: Annotated[
        Path,
        typer.Argument(help="CSV with a head: `age` (in any one unit) and `failed` (1; 0 for a part that still ran)"),
    ],
    ratio: Annotated[float, typer.Option("--price-ratio", help="what a failure costs by what a planned one does")],
    as_json: JsonOption = False,
) -> None:
    """Fit a Weibull to lives of a part, failed or not, and find the age at which to replace it costs least."""
    from processors.condition.replacement import TooFew, age_to_replace, fit

    rows = _rows(lives, ("age", "failed"))
    try:
        life = fit([age for age, failed in rows if failed], [age for age, failed in rows if not failed])
        best = age_to_replace(life, ratio)
    except (TooFew, ValueError) as error:
        raise UserError(f"{lives}: {error}") from None
    failures = sum(bool(failed) for _, failed in rows)
    told = {
        "failures": failures,
        "lives": len(rows),
        "scale": life.scale,
        "shape": life.shape,
        "mean_life": life.mean,
        "price_ratio": ratio,
        "replace_at": best.age,
        "saving": best.saving,
    }
    if best.age is None:
        advice = "run to failure: the part does not age, or a failure costs too little"
    else:
        advice = f"replace at {best.age:.4g}; saves {best.saving:.1%} beside running to failure"
    text = (
        f"Weibull of {failures} failures, {len(rows)} lives: scale {life.scale:.4g}, shape {life.shape:.3f}\n{advice}"
    )
    emit(told) if as_json else typer.echo(text)


@condition.command()
def life(
    values: Annotated[Path, typer.Argument(help="CSV with a head: `at` (a number, in any unit of time) and `value`")],
    limit: Annotated[float, typer.Option(help="value at which it has failed")],
    falls: Annotated[bool, typer.Option("--falls", help="whether values come to the limit from above")] = False,
    shape: Annotated[str, typer.Option(help="auto, linear or exponential")] = "auto",
    confidence: Annotated[float, typer.Option(min=0.5, max=0.99, help="of the interval")] = 0.9,
    as_json: JsonOption = False,
) -> None:
    """Foretell the remaining life of one unit from what was measured, from its last value on."""
    from processors.condition.life import RemainingLife

    if shape not in ("auto", "linear", "exponential"):
        raise UserError(f"--shape {shape}: auto, linear or exponential is expected")
    known: Shape = shape  # type: ignore[assignment]
    bank = RemainingLife(limit, not falls, known)
    for at, value in sorted(_rows(values, ("at", "value"))):
        bank.update(at, value)
    told = bank.forecast(confidence)
    if told is None:
        raise UserError(f"{values}: {bank.number} values; 8 are needed before anything can be said")
    text = f"no significant trend (P(none) = {told.no_trend:.3f}): no remaining life"
    if told.median is not None or told.low is not None:
        low, median, high = ("beyond" if each is None else f"{each:.5g}" for each in (told.low, told.median, told.high))
        text = f"remaining life {median} ({confidence:.0%}: {low} to {high}), in the unit of `at`"
    emit(told._asdict()) if as_json else typer.echo(text)


@condition.command()
def bearing(
    balls: Annotated[int, typer.Option(help="balls or rollers in one row")],
    ball: Annotated[float, typer.Option(help="their diameter, in the unit of --pitch")],
    pitch: Annotated[float, typer.Option(help="diameter of the circle through their middles")],
    shaft: Annotated[float, typer.Option(help="turns a second of the shaft; the outer race stands")],
    angle: Annotated[float, typer.Option(help="contact angle, in degrees")] = 0.0,
    peak: Annotated[
        list[float] | None, typer.Option(help="frequency of a peak of the envelope spectrum, in Hz; again for more")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fault frequencies of a rolling bearing by its geometry, and which part the peaks of a spectrum are of, side bands too."""
    from processors.condition.bearing import SLIP, of_geometry

    if not shaft > 0:
        raise UserError(f"--shaft {shaft:g}: turns a second, above 0, are expected")
    try:
        known = of_geometry(balls, ball, pitch, angle)
    except ValueError as error:
        raise UserError(str(error)) from None
    peaks = peak or []
    lines = known.lines(peaks, shaft)
    if as_json:
        named = [None if line is None else line._asdict() for line in lines]
        told = [{"hz": hz, "line": line} for hz, line in zip(peaks, named, strict=True)]
        emit({"hz": {part: shaft * of for part, of in known._asdict().items()}, "slip": SLIP, "peaks": told})
        return
    for part, of in known._asdict().items():
        typer.echo(f"{part}: {shaft * of:.2f} Hz")
    for hz, line in zip(peaks, lines, strict=True):
        words = "nothing of this bearing"
        if line is not None:
            words = f"{line.part}, harmonic {line.harmonic}" + (f", side band {line.band:+d}" if line.band else "")
        typer.echo(f"peak at {hz:g} Hz: {words}")


def _rows(file: Path, columns: tuple[str, str]) -> list[tuple[float, float]]:
    """Two columns of numbers."""
    import csv
    import math

    made: list[tuple[float, float]] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                made.append(_pair(file, number, row, columns))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}") from None
    if not all(math.isfinite(each) for pair in made for each in pair):
        raise UserError(f"{file}: a value is no finite number")
    return made


def _pair(file: Path, number: int, row: dict[str, Any], columns: tuple[str, str]) -> tuple[float, float]:
    try:
        return float(row[columns[0]]), float(row[columns[1]])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{file}, line {number}: numbers {columns[0]} and {columns[1]} are expected") from None
