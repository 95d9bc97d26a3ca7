"""Case lists: what is read, what is refused, and that names of patients stay out."""

from __future__ import annotations

import msgspec
import pytest

from imaging.radiograph import Side
from study.cases import (
    CasesError,
    name_cases,
    read_case_csv,
    read_case_folder,
    refuse_trained,
    study_cases,
)
from tests.unit.study.study_maker import candidates, image_file


def listed(folder, text, images=4):
    for number in range(images):
        image_file(folder, number)
    path = folder / "cases.csv"
    path.write_text(text, "utf-8")
    return read_case_csv(path)


def test_a_csv_becomes_cases(tmp_path):
    found = listed(
        tmp_path,
        "Path;Truth;Patient;Side;x;y;width;height;practice\n"
        "hip 0.dcm;loose;Müller;R;1;2;10;11;\n\nhip 1.dcm;0;Meier;;;;;;\nhip 2.dcm;;;L;;;;;yes\n",
    )
    assert found.problems == ()
    one, two, three = found.candidates
    assert (one.truth, one.side, one.patient, one.box) == (1, Side.RIGHT, "Müller", (1.0, 2.0, 10.0, 11.0))
    assert (two.truth, two.side, two.box) == (0, Side.UNKNOWN, None)
    assert three.practice


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ("gone.dcm,1,,", "gone.dcm does not exist"),
        (",1,,", "path is empty"),
        ("hip 0.dcm,maybe,,", "no truth"),
        ("hip 0.dcm,1,,up", "no side"),
        ("hip 0.dcm,1,a,\nhip 0.dcm,0,a,\n", "contradictory truth"),
        ("hip 0.dcm,1,a,\nhip 0.dcm,1,a,\nhip 1.dcm,0,,\n", "same hip"),
        ("hip 0.dcm,1,a,R\nhip 0.dcm,0,b,L\n", "two patients"),
        ("hip 0.dcm,1,a,R\nhip 0.dcm,0,a,\nhip 1.dcm,1,,\n", "does not say which hip"),
        ("nul\0.dcm,1,,", "nul.dcm does not exist"),
        ("hip 0.dcm,1,,\nhip 1.dcm,1,,\n", "all cases are loose"),
        ("hip 0.dcm,1,,\nhip 1.dcm,,,\n", "1 case has no truth"),
        ("", "no case to read"),
    ],
)
def test_each_fault_is_listed_with_a_cure(tmp_path, rows, word):
    found = listed(tmp_path, f"path,truth,patient,side\n{rows}")
    assert any(word in problem.what and problem.cure for problem in found.problems)


def test_no_list_at_all(tmp_path):
    with pytest.raises(CasesError, match="no column named path"):
        listed(tmp_path, "file,truth\n")
    with pytest.raises(CasesError, match="cannot be read"):
        read_case_csv(tmp_path / "none.csv")


def test_a_folder_gives_cases_without_truth(tmp_path):
    image_file(tmp_path, 1)
    image_file(tmp_path, 2)
    found = read_case_folder([tmp_path])
    assert len(found.candidates) == 2
    assert [problem.what for problem in found.problems] == ["2 cases have no truth."]
    with pytest.raises(CasesError, match="does not exist"):
        read_case_folder([tmp_path / "nowhere"])


def test_images_that_trained_the_network_are_refused_by_name(tmp_path):
    cases = candidates(tmp_path / "images")
    refuse_trained(cases, {"ab" * 32}, "lucency-1")
    with pytest.raises(CasesError, match=r"These 2 images were used to train lucency-1 .*: hip 1.dcm, hip 3.dcm\."):
        refuse_trained(cases, {cases[1].image_sha256.upper(), cases[3].image_sha256}, "lucency-1")


def test_names_of_patients_and_files_never_enter_the_record(tmp_path):
    cases = candidates(tmp_path / "images")
    named = name_cases(cases, "secret")
    recorded = study_cases(named, "secret")
    text = msgspec.json.encode(recorded).decode()
    assert "Person" not in text
    assert "hip" not in text
    assert [case.id for case in recorded] == sorted(named)
    by_patient = {named[case.id].patient or case.id: case.patient for case in recorded}
    assert len(set(by_patient.values())) == len(by_patient) == 5
    for case in recorded:
        assert case.patient == by_patient[named[case.id].patient or case.id]
    assert set(named).isdisjoint(name_cases(cases, "other secret"))


def test_a_list_written_on_windows_is_followed(tmp_path):
    (tmp_path / "sub").mkdir()
    image_file(tmp_path / "sub", 0)
    (tmp_path / "cases.csv").write_text("path,truth\nsub\\hip 0.dcm,1\n", "utf-8")
    assert read_case_csv(tmp_path / "cases.csv").candidates[0].source.path == tmp_path / "sub" / "hip 0.dcm"


def test_both_hips_of_one_image_are_one_cluster_though_nobody_named_the_patient(tmp_path):
    found = listed(tmp_path, "path,truth,side\nhip 0.dcm,1,R\nhip 0.dcm,0,L\nhip 1.dcm,0,R\n")
    cases = study_cases(name_cases(found.candidates, "secret"), "secret")
    assert len({case.patient for case in cases}) == 2
    assert len({case.patient for case in cases if case.image_sha256 == found.candidates[0].image_sha256}) == 1
