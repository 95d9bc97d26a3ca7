"""The report as PDF for a command, which has no window."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtGui import QGuiApplication

from gui.study.report_pdf import PaperReport, save_report_pdf
from study.plots import LIGHT, all_plots
from study.report import Report, conclusion
from study.result_tables import result_tables


def save_pdf(report: Report, path: Path) -> int:
    """Write it; returns the number of pages. Needs no display. Raises OSError."""
    if QGuiApplication.instance() is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        application = QGuiApplication(["lucency"])  # held until the pages are painted
        try:
            return save_report_pdf(paper(report), path)
        finally:
            del application
    return save_report_pdf(paper(report), path)


def paper(report: Report) -> PaperReport:
    """The whole report, as it goes on paper."""
    sham = report.study.sham if report.study is not None else None
    return PaperReport(
        report.analysis.title or report.provenance.file,
        report.notice,
        conclusion(report),
        report.cautions,
        tuple(result_tables(report)),
        tuple(all_plots(report.analysis, report.table, sham, LIGHT)),
        report.hashes,
    )
