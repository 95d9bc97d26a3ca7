"""The study wizard through its own fields: from nothing to a registered study, its refusals, its draft."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

import pytest
from msgspec import UNSET
from PySide6.QtWidgets import QLabel

from gui.jobs import Jobs
from gui.preferences import Preferences
from gui.study.case_table import CaseTable
from gui.study.wizard_draft import DRAFT_FILE, StudyDraft
from gui.study.wizard_state import Network, WizardState
from imaging.worker import SupervisedWorker, decode_worker
from inference import worker as inference_worker
from inference.model_bundle import find_bundles
from study.protocol import (
    PROTOCOL_VERSION,
    Arms,
    Endpoint,
    Hypothesis,
    Method,
    NegativeVariance,
    Part,
    StudyDesign,
    TrainingData,
    protocol_problems,
    protocol_sha256,
)
from study.protocol_page import protocol_page
from study.store import read_record
from study.study_state import fold_study
from tests.gui.study_desk import (
    NETWORK,
    PATIENCE_MS,
    ROOT,
    answer_for_the_cnn,
    drop,
    fill,
    list_of,
    make_wizard,
    radiographs,
    register,
)


@pytest.fixture
def wizard(qtbot, tmp_path, jobs):
    made = make_wizard(qtbot, tmp_path, jobs, Preferences(tmp_path / "preferences"))
    yield made
    made.close()


def sentences(wizard, part):
    return [sentence for about, sentence in wizard.state.problems() if about is part]


def test_from_nothing_to_a_registered_study(qtbot, wizard, tmp_path):
    fill(qtbot, wizard, list_of(radiographs(tmp_path / "images")))
    assert sentences(wizard, Part.CNN) == ["The CNN has not answered 12 of 12 cases yet."]
    assert not wizard.register_page.register_button.isEnabled()
    answer_for_the_cnn(wizard)
    assert wizard.state.problems() == []
    protocol = wizard.state.protocol
    place = tmp_path / "studies" / "hips.lucency-study"
    register(qtbot, wizard, place)
    events = read_record(place).events
    state = fold_study(events, protocol.study_id)
    assert (state.protocol.title, state.protocol.planned_cases, state.protocol.practice_cases) == (
        "Hips with a CNN",
        11,
        1,
    )
    assert state.protocol.planned_readers == 2
    assert protocol_sha256(state.protocol) == state.registered.protocol_sha256
    text = "".join(event.payload for event in events)
    assert "secret" not in text
    assert "hip 1" not in text
    assert '"truth":1' not in text
    assert not list((tmp_path / "data").glob("study-draft*"))


def test_a_list_fills_in_what_a_folder_left_open(qtbot, wizard, tmp_path):
    folder = radiographs(tmp_path / "images")
    wizard.steps.setCurrentRow(1)
    drop(wizard.cases.drop, folder)
    qtbot.waitUntil(lambda: len(wizard.state.rows) == 12, timeout=PATIENCE_MS)
    assert any("12 cases have no truth" in sentence for sentence in sentences(wizard, Part.CASES))
    drop(wizard.cases.drop, list_of(folder))
    qtbot.waitUntil(lambda: wizard.state.rows[0].truth is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: all(row.looked_at for row in wizard.state.rows), timeout=PATIENCE_MS)
    assert len(wizard.state.rows) == 12
    assert sentences(wizard, Part.CASES) == []


def test_what_a_list_gets_wrong_is_said_and_can_be_left_out(qtbot, wizard, tmp_path):
    folder = radiographs(tmp_path / "images", 4)
    path = folder / "cases.csv"
    path.write_text("path,truth\nhip 0.dcm,1\nhip 1.dcm,0\ngone.dcm,1\nhip 2.dcm,maybe\n", "utf-8")
    (folder / "hip 3.dcm").write_bytes(b"no image")
    wizard.steps.setCurrentRow(1)
    drop(wizard.cases.drop, path)
    qtbot.waitUntil(lambda: len(wizard.state.draft.left_out) == 2, timeout=PATIENCE_MS)
    assert "row 4: gone.dcm does not exist" in wizard.cases.left_out.text()
    wizard.cases.left_out_button.click()
    assert sentences(wizard, Part.CASES) == []
    drop(wizard.cases.drop, folder / "hip 3.dcm")
    qtbot.waitUntil(lambda: len(wizard.state.rows) == 3 and wizard.state.rows[2].looked_at, timeout=PATIENCE_MS)
    assert wizard.cases.model.problem_of(2)
    wizard.cases.select({2})
    wizard.cases.remove_button.click()
    assert sentences(wizard, Part.CASES) == []


def test_names_and_truth_can_be_kept_off_the_screen(qtbot, wizard, tmp_path):
    fill(qtbot, wizard, list_of(radiographs(tmp_path / "images")))
    model = wizard.cases.model

    def seen():
        return {str(model.index(row, column).data()) for row in range(12) for column in range(len(CaseTable.COLUMNS))}

    assert not any("hip" in text or text in ("P1", "P2") for text in seen())
    assert "Loose" in seen()
    wizard.cases.truth_box.click()
    assert "Loose" not in seen()
    wizard.cases.names_box.click()
    assert {"hip 1.dcm", "P1"} <= seen()


def test_cases_that_trained_the_network_are_refused_in_words(qtbot, wizard, tmp_path):
    fill(qtbot, wizard, list_of(radiographs(tmp_path / "images")))
    wizard.state.set_network(
        Network(
            NETWORK.id, NETWORK.sha256, "", 50.0, TrainingData.SIMULATED, frozenset({wizard.state.rows[3].image_sha256})
        )
    )
    assert "used to train lucency-1" in wizard.cases.model.problem_of(3)
    assert any(sentence.startswith("Row 4: this image was used") for sentence in sentences(wizard, Part.CASES))


def test_choices_that_leave_no_alternative_follow(wizard):
    wizard.design.design.pick(StudyDesign.CNN_AGAINST_READERS)
    protocol = wizard.state.protocol
    assert (protocol.arms, protocol.plan.method) == (Arms.UNAIDED, Method.ONE_AGAINST_MANY)
    assert not wizard.cnn.sham.field.isEnabled()
    assert "never see the CNN" in wizard.cnn.sham.field.toolTip()
    wizard.analysis.endpoint.pick(Endpoint.SENSITIVITY)  # the study's own question: also for the CNN against readers
    assert not [s for s in protocol_problems(wizard.state.protocol) if "AUC" in s]
    assert not wizard.analysis.negative_variance.isEnabled()
    wizard.design.design.pick(StudyDesign.SPLIT_PLOT)
    protocol = wizard.state.protocol
    assert (protocol.arms, protocol.blocks, protocol.plan.method) == (Arms.SEQUENTIAL, 2, Method.U_STATISTICS)
    assert (protocol.plan.new_mode, protocol.plan.reference_mode) == ("aided", "unaided")
    assert protocol.plan.negative_variance is NegativeVariance.MLE
    assert wizard.analysis.negative_variance.isEnabled()
    wizard.design.design.pick(StudyDesign.CROSSED)
    wizard.design.arms.pick(Arms.CROSSOVER)
    wizard.design.washout.field.setValue(14)
    assert (wizard.state.protocol.blocks, wizard.state.protocol.washout_days) == (1, 14)


def test_the_analysis_is_chosen_in_its_fields(wizard):
    page = wizard.analysis
    page.hypothesis.pick(Hypothesis.NON_INFERIORITY)
    assert wizard.state.plan.margin == 0.05
    page.margin.field.setValue(0.1)
    page.endpoint.pick(Endpoint.SENSITIVITY)
    assert not page.secondary[Endpoint.SENSITIVITY].isEnabled()
    page.secondary[Endpoint.SPECIFICITY].click()
    page.secondary[Endpoint.AUC].click()
    plan = wizard.state.plan
    assert (plan.margin, plan.endpoint, plan.secondary) == (0.1, Endpoint.SENSITIVITY, ("auc", "specificity"))
    page.endpoint.pick(Endpoint.AUC)  # what is primary is no secondary endpoint any more
    assert wizard.state.plan.secondary == ("specificity",)
    wizard.state.set_plan(secondary=("time per case", "specificity"))  # a draft from before
    page.secondary[Endpoint.SENSITIVITY].click()
    assert wizard.state.plan.secondary == ("sensitivity", "specificity", "time per case")
    assert "time per case" in page.other_words.text()
    page.hypothesis.pick(Hypothesis.SUPERIORITY)
    assert wizard.state.plan.margin == 0


def test_a_half_filled_study_survives_a_kill(qtbot, tmp_path, jobs, wizard):
    qtbot.keyClicks(wizard.question.title_line.field, "Half a study")
    file = tmp_path / "data" / DRAFT_FILE
    qtbot.waitUntil(lambda: file.exists() and b"Half a study" in file.read_bytes(), timeout=2_000)
    # Nothing of the first wizard is closed: what the second one finds is what a kill would leave.
    again = make_wizard(qtbot, tmp_path, jobs, Preferences(tmp_path / "other"))
    assert again.question.title_line.field.text() == "Half a study"
    assert any("half-filled study" in sentence for sentence in again.notices.sentences)
    again.start_anew()
    assert again.question.title_line.field.text() == ""
    aside = file.with_name("study-draft.previous.json")
    qtbot.waitUntil(aside.exists, timeout=PATIENCE_MS)
    draft = StudyDraft.from_bytes(aside.read_bytes())
    assert draft is not None
    assert draft.protocol.title == "Half a study"
    again.close()


@pytest.mark.skipif(os.name == "nt", reason="the permissions of the user's folder hold there")
def test_the_draft_with_the_truth_is_for_its_owner_alone_and_goes_with_registration(qtbot, wizard, tmp_path):
    data = tmp_path / "data"
    file = data / DRAFT_FILE
    data.mkdir(exist_ok=True)
    left = file.with_name(f"{file.name}.unfinished")  # as a kill of an earlier version would leave it
    left.write_bytes(b"")
    left.chmod(0o644)
    images = list_of(radiographs(tmp_path / "images"))
    fill(qtbot, wizard, images)
    qtbot.waitUntil(lambda: file.exists() and b'"truth":1' in file.read_bytes(), timeout=PATIENCE_MS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    wizard.steps.setCurrentRow(1)
    assert any("holds the truth" in words.text() for words in wizard.cases.findChildren(QLabel) if words.isVisible())
    wizard.start_anew()
    assert wizard.state.rows == ()
    previous = file.with_name("study-draft.previous.json")
    qtbot.waitUntil(previous.exists, timeout=PATIENCE_MS)
    assert stat.S_IMODE(previous.stat().st_mode) == 0o600
    wizard.bring_back()
    qtbot.waitUntil(lambda: len(wizard.state.rows) == 12, timeout=PATIENCE_MS)
    assert wizard.state.protocol.title == "Hips with a CNN"
    answer_for_the_cnn(wizard)
    register(qtbot, wizard, tmp_path / "studies" / "hips.lucency-study")
    assert not list(data.glob("study-draft*"))


def test_a_study_is_never_written_over_another_file(qtbot, wizard, tmp_path):
    fill(qtbot, wizard, list_of(radiographs(tmp_path / "images")))
    answer_for_the_cnn(wizard)
    place = tmp_path / "held.lucency-study"
    place.write_bytes(b"something else")
    page = wizard.register_page
    page.place_line.clear()
    qtbot.keyClicks(page.place_line, str(place))
    page.passphrase.first.setText("long enough words")
    assert page.refusal() == "The two passphrases are not the same."
    page.passphrase.second.setText("long enough words")
    page.register_button.click()
    qtbot.waitUntil(lambda: any("never written over" in s for s in wizard.notices.sentences), timeout=PATIENCE_MS)
    assert place.read_bytes() == b"something else"


def test_the_bundled_network_answers_a_case(qtbot, tmp_path):
    folder = find_bundles(ROOT / "resources" / "models")[-1]
    engine = SupervisedWorker("inference", initializer=inference_worker.start, initargs=(folder, "cpu"))
    jobs = Jobs(decode_worker(), decode_worker, engine)
    wizard = make_wizard(qtbot, tmp_path, jobs, Preferences(tmp_path / "preferences"))
    wizard.steps.setCurrentRow(1)
    drop(wizard.cases.drop, ROOT / "resources" / "samples")
    qtbot.waitUntil(
        lambda: len(wizard.state.rows) > 1 and all(row.looked_at for row in wizard.state.rows), timeout=PATIENCE_MS
    )
    one = next(place for place, row in enumerate(wizard.state.rows) if row.side in ("R", "L"))
    two = next(place for place, row in enumerate(wizard.state.rows) if row.side == "U")
    wizard.state.set_rows([wizard.state.rows[one], wizard.state.rows[two]])
    qtbot.waitUntil(lambda: wizard.state.network is not None, timeout=PATIENCE_MS)
    wizard.cnn.compute_button.click()
    qtbot.waitUntil(lambda: not wizard.cnn.answers.is_running, timeout=PATIENCE_MS)
    first, second = wizard.state.candidates
    assert wizard.state.answers[first.key].model_sha256 == wizard.state.protocol.bundle_sha256
    assert second.key not in wizard.state.answers
    assert wizard.cnn.faults.text() == "Row 2: This image shows two hips. Give the side of the one that is meant."
    assert "two hips" in wizard.cases.model.problem_of(1)
    wizard.close()
    jobs.shutdown()


@pytest.mark.parametrize(
    ("training", "said"),
    [
        (TrainingData.SIMULATED, "simulated radiographs"),
        (TrainingData.INSERTED, "lines inserted into real radiographs"),
        (TrainingData.CLINICAL, "radiographs of a hospital"),
    ],
)
def test_the_protocol_says_what_the_cnn_was_trained_on(qapp, training, said):
    state = WizardState()
    state.set_network(replace(NETWORK, training=training))
    assert state.protocol.bundle_training is training
    assert state.protocol.schema == PROTOCOL_VERSION
    assert said in protocol_page(state.protocol)
    state.set_network(None)
    assert state.protocol.bundle_training is UNSET
    assert "not recorded" in protocol_page(state.protocol)
