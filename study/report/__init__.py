"""An analysis in words: a summary for the terminal, JSON for programs, one HTML file for people.

Every test stands with its method, covariance, degrees-of-freedom rule and the population that it speaks for; what was fixed
before the first reading comes first and says so, all else is exploratory. No number is NaN or infinite: null, and a sentence.
"""

from study.report.as_json import to_json
from study.report.conclusion import conclusion
from study.report.contents import Report, notice_of, report_of_study, report_of_table
from study.report.multi_reader import MultiReaderTest, NonInferiority, multi_reader_tests, non_inferiorities
from study.report.page import make_report, to_html
from study.report.provenance import Provenance
from study.report.published import published_table_json, published_table_report
from study.report.summary import summary

__all__ = [
    "MultiReaderTest",
    "NonInferiority",
    "Provenance",
    "Report",
    "conclusion",
    "make_report",
    "multi_reader_tests",
    "non_inferiorities",
    "notice_of",
    "published_table_json",
    "published_table_report",
    "report_of_study",
    "report_of_table",
    "summary",
    "to_html",
    "to_json",
]
