"""The record view on a real store: filtered, opened, relinked, exported; and the comparison it shows."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QCoreApplication, QDate, QEvent, QSettings, Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel

from gui import errors, file_dialogs, theme
from gui.preferences import Preferences
from gui.views.comparison import ComparisonView, agreement_words, zone_words
from gui.views.record_model import RecordModel
from gui.views.record_rows import Filter, make_rows, predicates
from gui.views.record_view import RecordView
from study.events import EventKind, ReadingSubmitted
from study.model import Call, CaseKey, Reader, ReaderKind, Reading, ReadingMode, ZoneFinding
from study.record import Record, RecordedReading
from study.store import StudyStore

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
LEFT = Qt.MouseButton.LeftButton
MODEL = "f" * 64


def reading(number, sha256, reader="A. Reader", call=Call.LOOSE, score=80.0, mode=ReadingMode.ANSWER_FIRST, **more):
    kind = ReaderKind.ALGORITHM if mode is ReadingMode.ALGORITHM else ReaderKind.HUMAN
    case = CaseKey(sha256, 0, (0.0, 0.0, 100.0, 100.0), "R")
    return Reading(f"r{number}", case, Reader(reader, kind), mode, call, score, model_sha256=MODEL, **more)


@pytest.fixture
def images(tmp_path):
    """Three files by their hash."""
    folder = tmp_path / "Mueller Hans"
    folder.mkdir()
    files = {}
    for number in range(3):
        path = folder / f"{number}.dcm"
        path.write_bytes(b"image %d" % number)
        files[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    return files


@pytest.fixture
def store(tmp_path, images):
    first, second, third = images
    with StudyStore(tmp_path / "record.sqlite", "0.1.0") as store:
        for each in (
            reading(1, first, "lucency-1", Call.NOT_LOOSE, 23.0, ReadingMode.ALGORITHM, model_id="lucency-1"),
            reading(2, first, comment="wide line", findings=(ZoneFinding("1", lucency=True, width_mm=2.5),)),
            reading(3, first, call=Call.NOT_LOOSE, score=30.0, mode=ReadingMode.REVISED, revises="r2"),
            reading(4, second, "Dr Ünal", Call.NOT_LOOSE, 12.0, ReadingMode.ASSIST),
            reading(5, third, "Dr Ünal", None, None, ReadingMode.ASSIST, not_assessable_reason="lateral view"),
        ):
            kind = EventKind.PREDICTION if each.mode is ReadingMode.ALGORITHM else EventKind.READING
            store.append(kind, each.reader.id, ReadingSubmitted(each)).result()
        for sha256, path in images.items():
            store.note_location(sha256, path).result()
        yield store


@pytest.fixture
def view(qtbot, store, tmp_path):
    theme.apply_theme(QApplication.instance(), Preferences(tmp_path))
    view = RecordView(store)
    qtbot.addWidget(view)
    view.resize(1300, 700)
    view.show()
    view.refresh()
    qtbot.waitUntil(lambda: view.model.rowCount() > 0)
    yield view
    view.close_down()


def ids(view):
    return {item.reading.id for item in view.shown()}


def settled(qtbot, view, text):
    qtbot.waitUntil(lambda: text in view.details.place_label.text())


def test_people_are_shown_first_and_everyone_on_request(view):
    assert ids(view) == {"r2", "r3", "r4", "r5"}
    view.filters.who_box.setCurrentIndex(view.filters.who_box.findText("Readers and CNN"))
    assert ids(view) == {"r1", "r2", "r3", "r4", "r5"}
    view.filters.who_box.setCurrentIndex(view.filters.who_box.findText("The CNN"))
    assert ids(view) == {"r1"}


def test_each_filter_and_all_together(view, qtbot):
    view.filters.who_box.setCurrentIndex(view.filters.who_box.findText("Dr Ünal"))
    assert ids(view) == {"r4", "r5"}
    view.filters.call_box.setCurrentIndex(view.filters.call_box.findText("Not assessable"))
    assert ids(view) == {"r5"}
    view.filters.call_box.setCurrentIndex(0)
    view.filters.who_box.setCurrentIndex(0)
    view.filters.mode_box.setCurrentIndex(view.filters.mode_box.findData(ReadingMode.REVISED))
    assert ids(view) == {"r3"}
    view.filters.mode_box.setCurrentIndex(0)
    qtbot.keyClicks(view.filters.search, "WIDE line")
    qtbot.waitUntil(lambda: ids(view) == {"r2"})
    view.filters.search.clear()
    qtbot.waitUntil(lambda: len(ids(view)) == 4)
    tomorrow = QDate.currentDate().addDays(1)
    view.filters.since_edit.setDate(tomorrow)
    assert ids(view) == set()
    assert not view.export_button.isEnabled()
    view.filters.since_edit.setDate(QDate.currentDate().addDays(-1))
    view.filters.until_edit.setDate(tomorrow)
    assert len(ids(view)) == 4


def test_the_summary_counts_and_claims_nothing(view, qtbot):
    qtbot.waitUntil(lambda: view.summary_label.text() != "")
    words = view.summary_label.text()
    assert "agree in 0 of 1 reading" in words
    assert "Only the reader says loose: 1." in words
    assert "2 cannot be compared" in words
    assert "Of 1 revised answers, 1 moved to the CNN's and 0 away from it." in words
    assert "%" not in words
    assert "p =" not in words


def test_a_reading_is_shown_beside_the_cnns(view, qtbot):
    view.select("r3")
    words = [label.text() for label in view.details.comparison.findChildren(QLabel)]
    assert view.details.comparison.verdict.text() == "Both say not loose"
    assert any("23 of 100" in text for text in words)
    assert any("Loose, 80 of 100" in text for text in words)  # before the CNN was shown
    view.select("r2")
    assert view.details.comparison.verdict.text() == "Reader: loose · CNN: not loose"
    assert view.details.comment_label.text() == "wide line"
    settled(qtbot, view, "where it was")


def test_return_opens_the_case(view, qtbot, images):
    view.select("r2")
    view.table.setFocus()
    with qtbot.waitSignal(view.open_case) as opened:
        qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert opened.args == [next(iter(images)), 0]


def test_a_moved_image_is_relinked_by_its_hash_only(view, qtbot, images, store, tmp_path):
    sha256, path = next(iter(images.items()))
    moved = tmp_path / "elsewhere.dcm"
    path.rename(moved)
    view.select("r2")
    settled(qtbot, view, "no longer")
    assert view.details.relink_button.isVisible()
    assert not view.details.open_button.isEnabled()
    other = list(images.values())[1]
    case = view._current().item.reading.case
    view.relink_to(case, other)
    qtbot.waitUntil(lambda: _error() is not None)
    assert "another image" in _error().sentence
    _error().close()
    with qtbot.waitSignal(view.notice):
        view.relink_to(case, moved)
    assert store.location(sha256).path == str(moved)
    settled(qtbot, view, "where it was")


def test_moved_images_are_found_in_a_folder(view, qtbot, images, store, tmp_path):
    target = tmp_path / "archive" / "2026"
    target.mkdir(parents=True)
    for path in images.values():
        path.rename(target / path.name)
    next(target.glob("2.dcm")).unlink()
    with qtbot.waitSignal(view.notice) as said:
        view._find_moved(tmp_path / "archive")
    assert said.args == ["2 moved images were found; 1 are still missing."]
    assert store.location(next(iter(images))).path == str(target / "0.dcm")


def test_exports_hold_what_is_shown_and_no_path(view, qtbot, tmp_path, images):
    view.filters.who_box.setCurrentIndex(view.filters.who_box.findText("A. Reader"))
    table, whole = tmp_path / "out.csv", tmp_path / "out.json"
    with qtbot.waitSignal(view.notice) as said:
        view.export_to(table)
    assert said.args == ["2 readings were exported."]
    with qtbot.waitSignal(view.notice):
        view.export_to(whole)
    with table.open(encoding="utf-8-sig", newline="") as stream:
        assert [row["reading_id"] for row in csv.DictReader(stream)] == ["r2", "r3"]
    assert len(json.loads(whole.read_text("utf-8"))["readings"]) == 2
    for file in (table, whole):
        assert "Mueller" not in file.read_text("utf-8")
    assert "no patient data" in view.privacy_label.text()


def test_an_export_that_fails_says_so(view, qtbot, tmp_path):
    view.export_to(tmp_path / "no such folder" / "out.csv")
    qtbot.waitUntil(lambda: _error() is not None)
    assert "could not be written" in _error().sentence
    _error().close()


def _error():
    shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, errors.ErrorDialog) and w.isVisible()]
    return shown[0] if shown else None


def big_record(count):
    start = datetime(2026, 1, 3, 8, tzinfo=UTC)
    readings = [
        RecordedReading(
            reading(
                number,
                f"{number // 2:064x}",
                f"Reader {number % 7}",
                Call.LOOSE if number % 3 else Call.NOT_LOOSE,
                80.0 if number % 3 else 20.0,
                comment="progressive" if number % 10 == 0 else "",
            ),
            (start + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "device",
            "",
            number,
        )
        for number in range(count)
    ]
    return Record(readings=readings)


def test_a_hundred_thousand_readings_stay_fluid(qapp):
    rows = 100 * make_rows(big_record(1_000))  # the table does not know that they repeat
    model = RecordModel()
    model.set_rows(rows)
    # Processor time of this thread: what else the machine does at the moment must not decide.
    before = time.thread_time()
    model.set_filter(Filter(text="progressive"))
    filtered_s = time.thread_time() - before
    assert model.rowCount() == 10_000
    assert filtered_s < 1.0
    before = time.thread_time()
    for number in range(0, 10_000, 10):  # 1,000 rows scrolled past, every cell of them
        for column in range(model.columnCount()):
            model.data(model.index(number, column))
    assert (time.thread_time() - before) / 1000 < 0.001


def test_days_are_of_the_local_clock():
    rows = make_rows(big_record(5_000))
    day = rows[2500].at.date()
    for row in rows:
        wanted = all(test(row) for test in predicates(Filter(since=day, until=day)))
        assert wanted == (row.at.date() == day)


def test_sorting_keeps_to_the_filter(qapp):
    model = RecordModel()
    model.set_rows(make_rows(big_record(300)))
    model.set_filter(Filter(call=Call.LOOSE.value))
    model.sort(RecordModel.READER, Qt.SortOrder.AscendingOrder)
    names = [row.item.reading.reader.id for row in model.rows]
    assert names == sorted(names)
    assert all(row.item.reading.call is Call.LOOSE for row in model.rows)
    assert len(names) == 200


# The comparison


@pytest.mark.parametrize(
    ("person", "cnn", "words"),
    [
        (Call.LOOSE, Call.LOOSE, "Both say loose"),
        (Call.LOOSE, Call.NOT_LOOSE, "You: loose · CNN: not loose"),
        (Call.CANNOT_TELL, Call.CANNOT_TELL, "You: cannot tell · CNN: indeterminate"),
        (None, Call.LOOSE, "You: not assessable · CNN: loose"),
        (Call.LOOSE, None, "You: loose · CNN: not assessable"),
    ],
)
def test_agreement_is_said_without_a_verdict(person, cnn, words):
    mine = reading(1, "a" * 64, call=person)
    other = reading(2, "a" * 64, call=cnn, mode=ReadingMode.ALGORITHM)
    assert agreement_words(mine, other, "You") == words
    assert "no answer of the CNN" in agreement_words(mine, None)


def test_zones_in_words():
    findings = (
        ZoneFinding("1", lucency=True, width_mm=2.5, osteolysis=True),
        ZoneFinding("III", not_assessable=True),
    )
    assert zone_words(findings) == ["Gruen 1: line 2.5 mm, osteolysis", "DeLee-Charnley III: not assessable"]


def test_a_reader_named_like_markup_is_shown_as_text(qtbot):
    view = ComparisonView()
    qtbot.addWidget(view)
    view.show_readings(reading(1, "a" * 64, "<b>x</b><img src='http://x'>"), None)
    heads = [label.text() for label in view.findChildren(QLabel) if "&lt;b&gt;" in label.text()]
    assert len(heads) == 1
    view.clear()


# File dialogs leave no trace


def test_a_dialog_leaves_no_folder_behind(qtbot, tmp_path):
    secret = tmp_path / "MUELLER HANS"
    secret.mkdir()
    (secret / "x.dcm").write_bytes(b"x")
    window = QLabel()
    qtbot.addWidget(window)
    chosen = []
    dialog = file_dialogs.choose_file(window, "Choose", chosen.append)
    assert dialog.testOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.setDirectory(str(secret))
    dialog.selectFile(str(secret / "x.dcm"))
    dialog.accept()
    del dialog
    qtbot.wait(10)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert chosen == [secret / "x.dcm"]
    kept = QSettings(QSettings.Scope.UserScope, "QtProject")
    assert not any("MUELLER" in str(kept.value(key)) for key in kept.allKeys())
