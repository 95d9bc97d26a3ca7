"""The results view: opens what is closed, refuses what is not, and what it exports can be opened again."""

from __future__ import annotations

import csv
import io
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from PySide6.QtGui import QImage

from gui.preferences import Preferences
from gui.study.gallery import FILTERS, Gallery
from gui.study.report_pdf import PaperReport, save_report_pdf
from gui.study.results_data import ResultsRequest
from gui.study.results_export import save_plot, save_table
from gui.study.results_load import find_images, load, look, note_image
from gui.study.results_tasks import load as load_in_words
from gui.study.results_window import ResultsWindow
from imaging.reader import read_radiograph
from imaging.sources import Source
from study.cells import plain_cell
from study.example import FILE_NAME, PASSPHRASE
from study.result_parts import ResultsError, Status, Table
from tests.conftest import ROOT
from tests.e2e.pdf_text import pdf_pages
from tests.gui.shell_fakes import FakeJobs
from tests.unit.study.study_maker import protocol, registered

WAIT_MS = 120_000  # a process that imports scipy, on a machine that is busy


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "example"
    shutil.copytree(ROOT / "resources" / "example-study", folder)
    return folder / FILE_NAME


@pytest.fixture(scope="module")
def results(study):
    return load(ResultsRequest(study, passphrase=PASSPHRASE), study.parent, "1.2.3")


def scores_file(folder, rows, name="scores.csv"):
    path = folder / name
    path.write_text("reader,mode,case,truth,score,call\n" + "\n".join(rows) + "\n", "utf-8")
    return path


def test_the_registered_analysis_comes_first_and_alone_is_marked(results):
    first, *others = results.tables
    assert first.status is Status.PREREGISTERED
    assert not any(table.status is Status.PREREGISTERED for table in others)
    assert results.conclusion.startswith("Pre-registered, AUC: aided")
    assert "readers and cases like these" in results.conclusion
    assert "SIMULATED" in results.notice
    assert {table.name for table in results.tables} >= {"over-readers", "switches", "intra-reader", "agreement-pairs"}
    for table in results.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert not any(re.search(r"\b(nan|inf|None)\b", cell) for row in table.rows for cell in row)


def test_scores_without_a_protocol_decide_nothing(tmp_path):
    rows = [
        f"r{r},{m},c{c},{c % 2},{(c * 7 + r * 3 + (m == 'aided') * 20 * (c % 2)) % 97},{(c + r) % 2}"
        for r in range(3)
        for m in ("unaided", "aided")
        for c in range(14)
    ]
    shown = load(ResultsRequest(scores_file(tmp_path, rows)), tmp_path, "1")
    assert shown.conclusion.startswith("Exploratory, AUC")
    assert "decides nothing" in shown.conclusion
    assert shown.notice == ""
    assert not any(table.status is Status.PREREGISTERED for table in shown.tables)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([f"a,m,c{c},{c % 2},{c},{c % 2}" for c in range(8)], "One surgeon supports no claim"),
        ([f"{r},m,c{c},0,{c},0" for r in "ab" for c in range(8)], "no statement about readers in general"),
        ([f"{r},m,c{c},{c % 2},70,1" for r in "ab" for c in range(8)], "Exploratory"),
    ],
    ids=["one reader", "no positives", "ties"],
)
def test_degenerate_data_get_sentences(tmp_path, rows, said):
    shown = load(ResultsRequest(scores_file(tmp_path, rows)), tmp_path, "1")
    assert said in shown.conclusion
    words = " ".join([shown.conclusion, *shown.cautions, *(cell for t in shown.tables for r in t.rows for cell in r)])
    assert not re.search(r"\b(nan|NaN|inf|None)\b", words)
    assert all(plot.svg or plot.caption for plot in shown.plots["light"])


def test_a_broken_file_is_a_sentence(tmp_path):
    with pytest.raises(ResultsError, match="row"):
        load_in_words(ResultsRequest(scores_file(tmp_path, ["a,m,c1,7,3,1"])), tmp_path, "1")


def test_a_study_whose_readers_still_read_is_refused(tmp_path):
    _, machine, _, _ = registered(tmp_path, protocol())
    machine.store.close()
    with pytest.raises(ResultsError, match="Reading still goes on"):
        look(ResultsRequest(machine.store.path))


def test_plots_and_tables_open_again(results, tmp_path, qapp):
    for plot in results.plots["light"]:
        save_plot(plot, tmp_path / f"{plot.name}.svg")
        assert ET.parse(tmp_path / f"{plot.name}.svg").getroot().tag.endswith("svg")
        save_plot(plot, tmp_path / f"{plot.name}.png")
        image = QImage(str(tmp_path / f"{plot.name}.png"))
        assert image.width() == 3 * 760
        assert len({image.pixel(x, y) for x in range(0, 2280, 5) for y in range(0, image.height(), 9)}) > 5
    for table in results.tables:
        save_table(table, tmp_path / "table.csv")
        with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
            head, *rows = [tuple(map(plain_cell, row)) for row in csv.reader(io.StringIO(file.read()))]
        assert (head, tuple(rows)) == (table.columns, table.rows)


def test_the_report_on_paper_has_pages(results, tmp_path, qapp):
    paper = PaperReport(
        results.title,
        results.notice,
        results.conclusion,
        results.cautions,
        results.tables,
        results.plots["light"],
        results.hashes,
    )
    pages = save_report_pdf(paper, tmp_path / "report.pdf")
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert 4 < pages < 40
    assert len(re.findall(rb"/Type\s*/Page\b", data)) == pages
    with pytest.raises(FileNotFoundError):
        save_report_pdf(paper, tmp_path / "no such folder" / "report.pdf")


@pytest.mark.parametrize("rows", range(28, 36))  # one of them after the other reaches the end of the page
def test_no_heading_stays_behind_at_the_end_of_a_page(tmp_path, qapp, rows):
    above = Table("above", "Above", Status.DESCRIPTIVE, ("A", "B"), (("x", "y"),) * rows)
    below = Table("below", "Below heading", Status.DESCRIPTIVE, ("Column",), (("first cell",), ("second cell",)))
    paper = PaperReport("Title", "", "Conclusion.", (), (above, below), (), ())
    save_report_pdf(paper, tmp_path / "report.pdf")
    (page,) = (text for text in pdf_pages((tmp_path / "report.pdf").read_bytes()) if "Below heading" in text)
    assert "first cell" in page


def test_the_gallery_filters_and_shows_marks_in_the_readers_colours(results, qtbot):
    jobs = FakeJobs()
    gallery = Gallery(jobs)
    qtbot.addWidget(gallery)
    gallery.show_results(results)
    counts = {}
    for n, (words, test) in enumerate(FILTERS):
        gallery.filter_box.setCurrentIndex(n)
        assert [case.id for case in gallery.listed] == [case.id for case in results.cases if test(case)]
        counts[words] = len(gallery.listed)
    assert counts["All cases"] == 40
    assert counts["CNN output flipped (sham)"] == 4
    gallery.search.setText("no such case")
    assert gallery.listed == []
    gallery.search.clear()
    marked = next(n for n, case in enumerate(gallery.listed) if any(a.marks for a in case.answers))
    gallery.list.setCurrentRow(marked)
    job = jobs.of("decode")[-1]
    job.finish(read_radiograph(job.args[0], job.args[1]))
    assert gallery.pictures.currentIndex() == 0
    shown = gallery.marks_view.scene.other_marks
    assert len({colour.name() for colour, _ in shown}) == len({a.reader for a in gallery.case.answers if a.marks})
    assert gallery.answers.rowCount() == len(gallery.case.answers) + 1


def test_a_missing_image_is_said_and_can_be_shown_where_it_is(results, qtbot):
    jobs = FakeJobs()
    gallery = Gallery(jobs)
    qtbot.addWidget(gallery)
    case = results.cases[0]
    gallery.show_results(replace(results, cases=(replace(case, source=None),)))
    gallery.filter_box.setCurrentIndex(len(FILTERS) - 1)
    assert "was not found" in gallery.no_image.text()
    with qtbot.waitSignal(gallery.relink_asked):
        gallery.relink_button.click()
    gallery.image_found(case.id, case.source, case.frame)
    assert jobs.of("decode")[-1].args == (case.source, case.frame)
    gallery.show_results(replace(results, has_images=False, cases=(replace(case, id="other", source=None),)))
    assert "holds no images" in gallery.no_image.text()


def test_the_window_asks_for_the_passphrase_and_opens(study, qtbot, tmp_path):
    window = ResultsWindow(ResultsRequest(study), tmp_path, FakeJobs(), Preferences(tmp_path), "1.2.3")
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(window.passphrase.isVisible, timeout=WAIT_MS)
    window.passphrase.setText("not the passphrase")
    window.open_button.click()
    qtbot.waitUntil(lambda: "passphrase" in window.door_words.text() and window.passphrase.isVisible(), timeout=WAIT_MS)
    assert window.results is None
    window.passphrase.setText(PASSPHRASE)
    window.open_button.click()
    qtbot.waitUntil(lambda: window.results is not None, timeout=WAIT_MS)
    assert window.passphrase.text() == ""
    assert "SIMULATED" in window.notice.text()
    assert window.conclusion.text() == window.results.conclusion
    assert window.index.count() == 10
    for row in range(window.index.count()):
        window.index.setCurrentRow(row)
        assert window.stack.currentIndex() == row
    window.tables_page.choice.setCurrentIndex(2)
    window.tables_page.copy_button.click()
    assert window.tables_page.table.columns[0] in qtbot_clipboard()
    window.save_report(tmp_path / "report.html")
    window.save_report(tmp_path / "report.json")
    qtbot.waitUntil(lambda: (tmp_path / "report.json").exists(), timeout=WAIT_MS)
    assert "SIMULATED" in (tmp_path / "report.html").read_text("utf-8")
    window.close()


def qtbot_clipboard():
    from PySide6.QtGui import QGuiApplication

    return QGuiApplication.clipboard().text()


def test_a_passphrase_that_was_just_given_is_not_asked_for_again_nor_kept(study, qtbot, tmp_path):
    request = ResultsRequest(study, passphrase=PASSPHRASE)
    window = ResultsWindow(request, tmp_path, FakeJobs(), Preferences(tmp_path), "1.2.3")
    qtbot.addWidget(window)
    window.show()

    def is_open():
        assert not window.passphrase.isVisible()
        return window.results is not None

    qtbot.waitUntil(is_open, timeout=WAIT_MS)
    assert window._request.passphrase == ""
    window.close()


def test_images_are_found_where_the_coordinator_knows_them(study, results, tmp_path):
    """The coordinator's window holds the notes of where they lie for as long as it is open."""
    case = results.cases[0]
    (digest, _), *_ = case.images
    elsewhere = tmp_path / "elsewhere.png"
    shutil.copy(case.source.path, elsewhere)
    lonely = tmp_path / "study" / study.name
    lonely.parent.mkdir()
    shutil.copy(study, lonely)
    assert find_images(ResultsRequest(lonely), tmp_path, {digest}) == {}
    known = ResultsRequest(lonely, images={digest: Source(elsewhere)})
    assert find_images(known, tmp_path, {digest}) == {digest: Source(elsewhere)}


def test_relinking_takes_only_the_image_that_was_read(study, results, tmp_path):
    case, request = results.cases[0], ResultsRequest(study)
    digests = tuple(digest for digest, _ in case.images)
    assert note_image(request, tmp_path, digests, case.source.path) in digests
    other = next(c for c in results.cases if c.images != case.images)
    with pytest.raises(ResultsError, match="another image"):
        note_image(request, tmp_path, digests, other.source.path)
    assert isinstance(case.source, Source)
