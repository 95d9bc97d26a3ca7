"""Readings rebuilt from events: corrections, pairs with the CNN, exports."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.chain import Damage, canonical_json, empty_head, make_event
from study.events import STUDY_KINDS, AnnotationsSaved, Correction, ReadingSubmitted
from study.exchange import read_scores
from study.model import (
    Annotation,
    AnnotationKind,
    Call,
    CaseKey,
    Reader,
    ReaderKind,
    Reading,
    ReadingMode,
    ViewingRecord,
    ZoneFinding,
)
from study.record import (
    CSV_COLUMNS,
    Agreement,
    case_ids,
    export_csv,
    export_json,
    find_moved,
    fold,
    opinions,
    read_record,
    readings,
    relink,
    same_hip,
    score_table,
    select,
    summarise,
)
from study.store import StoreError, StudyStore
from study.study_events import STUDY_PAYLOADS

IMAGE = hashlib.sha256(b"image").hexdigest()
HIP = CaseKey(IMAGE, 0, (0.0, 0.0, 400.0, 400.0), "R")
ANN = Reader("ann")
CNN = Reader("lucency-1", ReaderKind.ALGORITHM)


def reading(name, call=Call.LOOSE, score=80.0, mode=ReadingMode.ANSWER_FIRST, reader=ANN, case=HIP, **more):
    return Reading(name, case, reader, mode, call, score, **more)


def prediction(name, call=Call.LOOSE, score=91.0, case=HIP, model_sha256="m1"):
    return reading(name, call, score, ReadingMode.ALGORITHM, CNN, case, model_sha256=model_sha256)


def submit(store, *items):
    for item in items:
        kind = "prediction" if item.reader.kind is ReaderKind.ALGORITHM else "reading"
        store.append(kind, item.reader.id, ReadingSubmitted(item)).result()


@pytest.fixture
def store(tmp_path):
    with StudyStore(tmp_path / "record.sqlite", "test") as opened:
        yield opened


def test_a_reading_comes_back_whole(store):
    whole = reading(
        "r1",
        findings=(ZoneFinding("gruen1", lucency=True, width_mm=2.5),),
        annotations=(Annotation("a", AnnotationKind.LUCENT_LINE, ((1.5, 2.0), (3.0, 4.25)), 3.0),),
        comment="schön; =1+1",
        viewing=ViewingRecord(12.5, 3.0, 2.0, ((100.0, 200.0),), 1.25, (1920, 1080)),
        spacing_mm=(0.14, 0.14),
    )
    submit(store, whole)
    [item] = readings(store)
    assert item.reading == whole
    assert (item.seq, item.device) == (1, store.device())


def test_a_correction_is_current_and_the_old_value_stays(store):
    first = reading("r1")
    second = reading("r1", Call.NOT_LOOSE, 20.0)
    third = reading("r1", Call.NOT_LOOSE, 10.0)
    submit(store, first)
    store.append("correction", "ann", Correction("r1", first, second, "wrong side")).result()
    store.append("correction", "ann", Correction("r1", second, third, "surer")).result()
    record = read_record(store)
    [item] = record.readings
    assert item.reading == third
    assert [(c.old, c.new, c.reason) for c in item.corrections] == [
        (first, second, "wrong side"),
        (second, third, "surer"),
    ]
    assert record.problems == []


def test_corrections_that_do_not_fit_become_problems(store):
    first, other = reading("r1"), reading("r1", Call.NOT_LOOSE, 20.0)
    submit(store, first)
    store.append("correction", "ann", Correction("r9", first, other, "")).result()
    store.append("correction", "ann", Correction("r1", other, other, "")).result()
    sentences = [problem.sentence for problem in read_record(store).problems]
    assert "corrects a reading that is not in the record" in sentences[0]
    assert "somebody else had corrected" in sentences[1]


def test_a_retry_is_one_reading_and_a_taken_id_a_problem(store):
    submit(store, reading("r1"), reading("r1"), reading("r1", score=99.0))
    record = read_record(store)
    assert [item.reading.score for item in record.readings] == [80.0]
    assert [problem.seq for problem in record.problems] == [3]


def test_events_of_other_versions_are_counted_and_rubbish_is_named(store):
    store.append("hologram", "ann", {"x": 1}).result()
    store.append("study.paused", "ann", {"reader_id": "ann"}).result()  # a study's own kind is known
    store.append("reading", "ann", {"x": 1}).result()
    record = read_record(store)
    assert record.unknown_events == 1
    assert [(p.damage, p.seq) for p in record.problems] == [(Damage.UNREADABLE, 3)]
    assert all(kind.startswith(STUDY_KINDS) for kind in STUDY_PAYLOADS)


def test_select(store):
    other = CaseKey(hashlib.sha256(b"other").hexdigest(), 0, (0.0, 0.0, 9.0, 9.0), "L")
    submit(
        store,
        reading("r1"),
        reading("r2", Call.NOT_LOOSE, 20.0, ReadingMode.ASSIST, Reader("bob")),
        prediction("p1"),
        reading("r3", None, None, case=other, not_assessable_reason="lateral view"),
    )
    items = readings(store)

    def ids(**criteria):
        return [item.reading.id for item in select(items, **criteria)]

    today = date.today()  # noqa: DTZ011 - days of the local clock are what readers filter by
    assert ids() == ["r1", "r2", "p1", "r3"]
    assert ids(reader="bob") == ["r2"]
    assert ids(kind=ReaderKind.ALGORITHM) == ["p1"]
    assert ids(mode=ReadingMode.ANSWER_FIRST, call=Call.LOOSE) == ["r1"]
    assert ids(image=other.image_sha256[:8].upper()) == ["r3"]
    assert ids(since=today - timedelta(days=1), until=today + timedelta(days=1)) == ["r1", "r2", "p1", "r3"]
    assert ids(until=today - timedelta(days=2)) == []


def test_an_answer_is_paired_with_its_revision_and_the_cnn(store):
    submit(
        store,
        prediction("p1"),
        reading("r1", Call.NOT_LOOSE, 30.0),
        reading("r2", Call.LOOSE, 70.0, ReadingMode.REVISED, revises="r1", model_sha256="m1", cnn_score=91.0),
    )
    [opinion] = opinions(readings(store))
    assert opinion.answer.reading.id == "r1"
    assert opinion.revised is not None
    assert opinion.final.reading.id == "r2"
    assert opinion.cnn is not None
    assert opinion.cnn.reading.id == "p1"
    assert (opinion.agreement, opinion.final_agreement) == (Agreement.DISAGREE, Agreement.AGREE)
    assert opinion.changed
    summary = summarise([opinion])
    assert (summary.comparable, summary.agree, summary.only_cnn_loose, summary.changed_to_cnn) == (1, 0, 1, 1)
    assert summary.sentence == "Reader and CNN agree in 0 of 1 reading that can be compared."


def test_the_cnn_answer_is_of_the_named_model_and_region(store):
    moved = msgspec.structs.replace(HIP, box=(10.0, 10.0, 400.0, 400.0))
    left = msgspec.structs.replace(HIP, side="L")
    submit(
        store,
        prediction("exact"),
        prediction("moved", case=moved),
        prediction("other model", model_sha256="m2"),
        prediction("left", case=left),
        reading("r1", model_sha256="m1"),
        reading("r2", model_sha256="m1", case=moved),
        reading("r3"),
        reading("r4", model_sha256="m3"),
    )
    paired = {o.answer.reading.id: o.cnn.reading.id if o.cnn else None for o in opinions(readings(store))}
    assert paired == {"r1": "exact", "r2": "moved", "r3": "other model", "r4": None}


def test_only_binary_calls_are_compared(store):
    submit(store, prediction("p1", Call.CANNOT_TELL, 50.0), reading("r1"))
    [opinion] = opinions(readings(store))
    assert opinion.agreement is Agreement.NOT_COMPARABLE
    assert summarise([opinion]).sentence == "No reading can be compared with the CNN yet."


def test_hips_of_unknown_side_are_told_apart_by_their_boxes():
    one = CaseKey(IMAGE, 0, (0.0, 0.0, 100.0, 100.0), "U")
    assert same_hip(one, msgspec.structs.replace(one, box=(10.0, 5.0, 100.0, 100.0)))
    assert not same_hip(one, msgspec.structs.replace(one, box=(90.0, 0.0, 100.0, 100.0)))
    assert not same_hip(one, msgspec.structs.replace(one, frame=1))


def test_moved_images_are_found_and_relinked_by_hash_only(store, tmp_path):
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "renamed").write_bytes(b"image")
    (folder / "wrong").write_bytes(b"something else")
    with pytest.raises(StoreError, match="another image"):
        relink(store, IMAGE, folder / "wrong")
    with pytest.raises(StoreError, match="cannot be read"):
        relink(store, IMAGE, folder / "absent")
    found = find_moved(folder, [IMAGE, "0" * 64])
    assert found == {IMAGE: folder / "deep" / "renamed"}
    assert find_moved(folder, [IMAGE], lambda _: False) == {}
    assert find_moved([folder / "absent", folder / "wrong", folder / "deep" / "renamed"], [IMAGE]) == found
    assert find_moved([folder / "wrong"], [IMAGE]) == {}
    relink(store, IMAGE, found[IMAGE])
    location = store.location(IMAGE)
    assert location is not None
    assert location.path == str(found[IMAGE])


def test_csv_is_for_spreadsheets_and_reads_back(store, tmp_path):
    submit(
        store,
        reading("r1", comment='=HYPERLINK("x")', viewing=ViewingRecord(active_s=12.25)),
        reading("r2", None, None, not_assessable_reason="lateral", reader=Reader("@bob")),
        prediction("p1"),
    )
    path = tmp_path / "readings.csv"
    export_csv(readings(store), path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfreader,mode,case,truth,score,patient,side,call,seconds,")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0]["comment"] == '\'=HYPERLINK("x")'
    assert (rows[0]["score"], rows[0]["call"], rows[0]["seconds"]) == ("80", "loose", "12.25")
    table = read_scores(path)
    assert table.reader == ["ann", "@bob", "lucency-1"]
    assert table.case == [f"{IMAGE[:12]}-R"] * 3
    assert table.score.tolist()[::2] == [80, 91]
    assert table.call is not None
    assert table.call.tolist() == [1, -1, 1]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_cell_of_an_export_starts_a_formula(text):
    from study.cells import plain_cell, safe_cell

    assert safe_cell(text)[:1] not in set("=+-@\t\r\n＝＋－＠")
    assert plain_cell(safe_cell(text)) == text


def test_json_holds_the_history_and_no_paths(store, tmp_path):
    first, second = reading("r1"), reading("r1", Call.NOT_LOOSE, 20.0)
    submit(store, first)
    store.append("correction", "ann", Correction("r1", first, second, "slip")).result()
    store.note_location(IMAGE, "/home/MEIER/x.dcm").result()
    path = tmp_path / "readings.json"
    export_json(read_record(store), path)
    text = path.read_text("utf-8")
    assert "MEIER" not in text
    [entry] = json.loads(text)["readings"]
    assert entry["reading"]["score"] == 20.0
    assert entry["corrections"][0]["old"]["score"] == 80.0
    assert msgspec.json.decode(msgspec.json.encode(entry["reading"]), type=Reading) == second


def test_an_export_that_cannot_be_written_is_said(store, tmp_path):
    with pytest.raises(StoreError, match=r"x\.csv could not be written"):
        export_csv([], tmp_path / "absent" / "x.csv")


def test_case_ids_are_shared_by_readers_and_tell_hips_apart(store):
    left = msgspec.structs.replace(HIP, side="L")
    frame = msgspec.structs.replace(HIP, frame=2)
    moved = msgspec.structs.replace(HIP, box=(5.0, 5.0, 390.0, 390.0))
    twin = msgspec.structs.replace(HIP, image_sha256=IMAGE[:12] + "f" * 52)
    submit(store, *(reading(f"r{n}", case=case) for n, case in enumerate([HIP, left, frame, moved])))
    names = case_ids(readings(store))
    assert names[HIP] == names[moved]
    assert len({names[HIP], names[left], names[frame]}) == 3
    submit(store, reading("r9", case=twin))
    assert len(set(case_ids(readings(store)).values())) == 4


def test_the_score_table_takes_the_first_of_repeats_and_says_so(store):
    submit(store, reading("r1"), reading("r2", score=60.0), prediction("p1"))
    table = score_table(readings(store), {f"{IMAGE[:12]}-R": 1})
    assert table.score.tolist() == [80, 91]
    assert table.truth.tolist() == [1, 1]
    assert table.notes == ("1 repeated readings of the same case are left out; the first counts.",)


def test_the_latest_of_two_machines_counts_whatever_the_order_of_chains():
    def saved(device, utc, *marks):
        payload = canonical_json(AnnotationsSaved(HIP, "ann", marks))
        return make_event(empty_head(device, ""), utc, "ann", "annotations", payload)

    mark = Annotation("a1", AnnotationKind.POINT, ((1.0, 2.0),))
    old, new = saved("a", "2026-01-01T00:00:00Z"), saved("b", "2026-01-02T00:00:00Z", mark)
    for order in ([old, new], [new, old]):
        assert fold(order).annotations[HIP, "ann"].annotations == (mark,)
