"""The report as one HTML file, without scripts and with nothing from elsewhere."""

from __future__ import annotations

from dataclasses import fields

from study.analysis import ONE_READER
from study.chain import canonical_json
from study.dossier import Dossier
from study.plots import plots
from study.protocol import Hypothesis
from study.report.conclusion import conclusion
from study.report.contents import Report, report_of_study
from study.report.guidelines import items_of
from study.report.multi_reader import METHODS
from study.report.provenance import Provenance
from study.report.study_words import about_the_plan, about_the_study
from study.report.words import MCNEMARS, auc_intervals, degrees, interval, number, p_value, share, small, when
from study.statistics.obuchowski_rockette import Components
from study.study_scores import StudyScores

COMPONENTS = tuple(field.name for field in fields(Components))


def make_report(
    scores: StudyScores, dossier: Dossier, *, app_version: str = "", file: str = "", sha256: str = ""
) -> str:
    """The HTML report of an unsealed study: computes everything anew, so call it in a worker.

    scores, dossier: `Coordinator.unseal` and `Coordinator.dossier`. file, sha256: name and hash of the study's file, for
    people to find it again. Raises NotEstimableError where no reading came back.
    """
    provenance = Provenance(file, sha256, app_version)
    return to_html(report_of_study(scores, dossier, provenance))


def to_html(report: Report) -> str:
    """One self-contained file."""
    from jinja2 import DictLoader, Environment, StrictUndefined  # a window that shows no report does not wait for it
    from markupsafe import Markup

    from study.report.template_frame import FRAME, MACROS, STYLE
    from study.report.template_results import RESULTS
    from study.report.template_study import RECORD, STUDY

    parts = {"frame": FRAME, "macros": MACROS, "style": STYLE, "results": RESULTS, "study": STUDY, "record": RECORD}
    environment = Environment(
        loader=DictLoader(parts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"num": number, "p": p_value, "ci": interval, "share": share, "df": degrees, "small": small}
    environment.filters |= {"when": when, "intervals": auc_intervals}
    analysis, study = report.analysis, report.study
    has_times = any(result.median_s is not None for result in analysis.reader_results)
    return environment.get_template("frame").render(
        report=report,
        conclusion=conclusion(report),
        analysis=analysis,
        study=study,
        provenance=report.provenance,
        plan_rows=about_the_plan(report.plan) if report.plan is not None else [],
        study_rows=about_the_study(study.dossier) if study is not None else [],
        protocol_text=canonical_json(study.dossier.protocol) if study is not None else "",
        method_names=METHODS,
        one_sided=Hypothesis.NON_INFERIORITY,
        margin=report.margin,
        non_inferiority=report.non_inferiority,
        exploratory=report.exploratory,
        plots=[
            (plot, Markup(plot.svg))  # its texts are escaped
            for plot in plots(analysis, report.table, study.sham if study is not None else None)
        ],
        items=items_of(report),
        has_calls=any(result.calls for result in analysis.reader_results),
        has_times=has_times,
        one_reader=ONE_READER,
        components=COMPONENTS,
        mcnemars=MCNEMARS,
    )
