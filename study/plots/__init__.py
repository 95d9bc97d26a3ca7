"""The plots of a reader study as SVG: accessible (title and description), without scripts, colour-blind safe.

Every reader has one colour and one number in all of them; shape and dash tell the modes apart; the caption below names
n and method. The same text goes into the report, into a file, and into the window.
"""

from __future__ import annotations

from pathlib import Path

from study.analysis import Analysis
from study.files import replace_file
from study.plots.agreement import PairAgreement, agreement_plot, pair_agreements
from study.plots.cast import Cast, cast
from study.plots.drawing import DARK, LIGHT, Look
from study.plots.forest import against_algorithm_plot, forest_plot, main_result
from study.plots.operating import sensitivity_specificity_plot
from study.plots.roc import roc_plot
from study.plots.switches import switch_plot
from study.plots.times import time_plot
from study.result_parts import Plot
from study.scores import ScoreTable

__all__ = [
    "DARK",
    "LIGHT",
    "Cast",
    "Look",
    "PairAgreement",
    "Plot",
    "against_algorithm_plot",
    "agreement_plot",
    "all_plots",
    "cast",
    "export_plots",
    "forest_plot",
    "main_result",
    "pair_agreements",
    "plots",
    "roc_plot",
    "sensitivity_specificity_plot",
    "switch_plot",
    "time_plot",
]


def all_plots(
    analysis: Analysis, table: ScoreTable | None = None, sham: Analysis | None = None, look: Look = LIGHT
) -> list[Plot]:
    """Every plot in the order of the report; those that the data do not allow hold a sentence instead of a picture.

    `table` is what was analysed: agreement between every two readers needs it. `sham`: see `switch_plot`.
    """
    made = [
        roc_plot(analysis, look),
        forest_plot(analysis, look),
        against_algorithm_plot(analysis, look),
        sensitivity_specificity_plot(analysis, look),
        switch_plot(analysis, look, sham),
        time_plot(analysis, look),
    ]
    if table is not None:
        made.insert(4, agreement_plot(table, cast(analysis, look)))
    return made


def plots(
    analysis: Analysis, table: ScoreTable | None = None, sham: Analysis | None = None, look: Look = LIGHT
) -> list[Plot]:
    """The plots that the data allow."""
    return [plot for plot in all_plots(analysis, table, sham, look) if plot.svg]


def export_plots(
    analysis: Analysis, folder: Path, table: ScoreTable | None = None, sham: Analysis | None = None
) -> list[Path]:
    """Write each plot as an SVG file into the folder, which is made if it is not there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for plot in plots(analysis, table, sham):
        paths.append(folder / f"{plot.name}.svg")
        replace_file(paths[-1], plot.svg.encode("utf-8"), durable=False)
    return paths
