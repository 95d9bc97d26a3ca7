"""Numbers as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from study.analysis import Analysis
from study.statistics.accuracy import Proportion
from study.statistics.roc import AucEstimate

MANY_DEGREES = 100_000
MCNEMARS = ("McNemar exact", "McNemar mid-p", "McNemar chi-square")  # in the order in which tables show them


def slug(*words: str) -> str:
    """A JSON key: lower case, underscores."""
    return "_".join(re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_") for word in words if word)


def number(value: float | None, digits: int = 3) -> str:
    """For people: a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) != 0 else text.lstrip("-")


def small(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def p_value(value: float | None) -> str:
    if value is None:
        return "no test"
    return "< .0001" if value < 0.0001 else f"{value:.4f}".lstrip("0") if value < 1 else "1"


def degrees(value: float | None) -> str:
    """Degrees of freedom; so many that t is the normal distribution are not spelt out."""
    if value is not None and MANY_DEGREES < value < math.inf:
        return f"> {MANY_DEGREES:,}"
    return number(value, 1) if value is None or value != int(value if math.isfinite(value) else 0) else f"{int(value)}"


def auc_intervals(auc: AucEstimate) -> list[tuple[str, tuple[float, float]]]:
    """(method, bounds) of each interval that this AUC has; those by patient are on the logit scale alone."""
    if auc.ci is None:
        return []
    if auc.method != "DeLong":
        return [(f"logit, {auc.method}", auc.ci)]
    return [("DeLong", auc.ci), *([("logit", auc.ci_logit)] if auc.ci_logit else [])]


def interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    return "–" if bounds is None else f"{number(bounds[0], digits)} to {number(bounds[1], digits)}"


def share(value: Proportion | None) -> str:
    if value is None or value.value is None:
        return "–"
    return f"{value.k}/{value.n} = {value.value:.3f}"


def when(utc: str) -> str:
    """A time of the record, to the minute; a dash where there is none."""
    return f"{utc[:10]} {utc[11:16]} UTC" if utc else "–"


def said_p(p: float | None) -> str:
    """A p-value within a sentence."""
    text = p_value(p)
    return text if p is None else f"p {text}" if text.startswith("<") else f"p = {text}"


def counted(n: int, noun: str) -> str:
    return f"{n} {noun if n == 1 else noun + 's'}"


def who_read(analysis: Analysis) -> str:
    """People and the algorithm apart."""
    if analysis.algorithm is None:
        return counted(analysis.readers, "reader")
    return f"{counted(analysis.readers - 1, 'reader')} and the algorithm {analysis.algorithm}"
