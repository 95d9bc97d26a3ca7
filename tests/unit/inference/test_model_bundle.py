"""A bundle is used only when every file, the schema, the architecture and the reference are as they were sealed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import onnx
import pytest

from inference.classifier import Classifier
from inference.model_bundle import BundleError, find_bundles, load_bundle, seal_bundle
from inference.onnx_files import external_files
from tests.unit.inference import bundles


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.make_bundle(tmp_path_factory.mktemp("sealed") / "tiny", locator=True).folder


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(sealed, tmp_path / "tiny"))


def edit_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "model.json").read_text())
    manifest.update(changes)
    (folder / "model.json").write_text(json.dumps(manifest))


def one_sentence(error: BundleError) -> str:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_sealed_bundle_loads_and_classifies(sealed: Path) -> None:
    bundle = load_bundle(sealed)
    assert bundle.card.id == "tiny"
    assert set(bundle.card.files) == {
        "model.onnx", "locator.onnx", "MODEL_CARD.md", "reference_input.png", "reference_outputs.json"
    }  # fmt: skip
    assert len(bundle.sha256) == 64
    assert Classifier(bundle, "cpu").engine == "cpu"


def test_identity_changes_with_any_file(sealed: Path, folder: Path) -> None:
    (folder / "MODEL_CARD.md").write_text("# Another card\n")
    card = load_bundle(sealed).card
    assert seal_bundle(folder, card).sha256 != load_bundle(sealed).sha256


@pytest.mark.parametrize("name", ["model.onnx", "locator.onnx", "MODEL_CARD.md", "reference_outputs.json"])
def test_one_flipped_bit_is_refused(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError) as refused:
        load_bundle(folder)
    assert name in one_sentence(refused.value)


def test_missing_file_is_refused(folder: Path) -> None:
    (folder / "locator.onnx").unlink()
    with pytest.raises(BundleError, match=r"locator\.onnx is missing"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.onnx",
        "/etc/hostname",
        "sub/model.onnx",
        "..",
        "",
        "a\\b",
        "C:model",
        "nul",
        "aux.txt",
        "model.onnx ",
    ],
)
def test_names_outside_the_folder_are_refused(folder: Path, name: str) -> None:
    (folder.parent / "outside.onnx").write_bytes(b"x")
    files = json.loads((folder / "model.json").read_text())["files"]
    edit_manifest(folder, files={**files, name: "0" * 64})
    with pytest.raises(BundleError, match="outside its own folder"):
        load_bundle(folder)


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs symbolic links")
def test_links_are_refused(folder: Path) -> None:
    shutil.move(folder / "model.onnx", folder.parent / "elsewhere.onnx")
    (folder / "model.onnx").symlink_to(folder.parent / "elsewhere.onnx")
    with pytest.raises(BundleError, match="outside its own folder"):
        load_bundle(folder)


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs symbolic links")
def test_linked_manifest_is_refused(folder: Path) -> None:
    shutil.move(folder / "model.json", folder.parent / "model.json")
    (folder / "model.json").symlink_to(folder.parent / "model.json")
    with pytest.raises(BundleError, match="outside its own folder"):
        load_bundle(folder)


@pytest.mark.parametrize("location", ["../weights.data", "/etc/hostname", "weights.data"])
def test_external_data_must_lie_inside_and_have_a_hash(folder: Path, location: str) -> None:
    model = onnx.load(folder / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "weights.data").write_bytes(b"\0" * 64)
    files = json.loads((folder / "model.json").read_text())["files"]
    import hashlib

    files["model.onnx"] = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    edit_manifest(folder, files=files)
    with pytest.raises(BundleError, match="without a hash" if location == "weights.data" else "outside its own folder"):
        load_bundle(folder)


def test_external_data_inside_the_folder_works(tmp_path: Path) -> None:
    bundle = bundles.make_bundle(tmp_path / "external", external="weights.data")
    assert "weights.data" in bundle.card.files
    assert Classifier(bundle, "cpu").predict(bundles.radiograph(bundles.hip()), whole()).decision == "loose"


def test_external_files_of_every_place_in_a_graph(tmp_path: Path) -> None:
    """Tensors hide in attributes of nodes and in subgraphs too."""

    def tensor(location: str) -> onnx.TensorProto:
        made = onnx.TensorProto(name=location, dims=[1], data_type=1, data_location=onnx.TensorProto.EXTERNAL)
        entry = made.external_data.add()
        entry.key, entry.value = "location", location
        return made

    branch = onnx.helper.make_graph([], "branch", [], [], [tensor("in_subgraph")])
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch)
    constant = onnx.helper.make_node("Constant", [], ["c"])
    constant.attribute.append(onnx.helper.make_attribute("value", tensor("in_attribute")))
    graph = onnx.helper.make_graph([node, constant], "g", [], [], [tensor("in_initializer")])
    (tmp_path / "m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    assert external_files(tmp_path / "m.onnx") == {"in_subgraph", "in_attribute", "in_initializer"}


def test_unknown_architecture_is_refused(folder: Path) -> None:
    edit_manifest(folder, architecture="my-own-net")
    with pytest.raises(BundleError, match="my-own-net"):
        load_bundle(folder)


def test_newer_schema_says_so(folder: Path) -> None:
    edit_manifest(folder, schema=3, brand_new_field=1)
    with pytest.raises(BundleError, match="newer version of this program"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"outputs": ["stem", "cup"]},
        {"outputs": "loose"},
        {"surprise": 1},
        {"temperature": {"loose": 0}},
        {"temperature": {"other": 1.0}},
        {"input": {"size": 1}},
        {"input": {"size": 64, "mean": [0.1, 0.2]}},
        {"id": "../tiny"},
        {"version": "one"},
        {"training_data": "trust me"},
        {"saliency": {"method": "Grad-CAM", "levels": [1, 0]}},
        {"indeterminate": {"low": 0.9, "high": 0.1}},
        {"operating_point": {"threshold": 2, "chosen_on": ""}},
        {"feature_statistics": {"mean": "AAAA", "projection": "AAAAAAAA", "limit": 1}},  # three bytes are no float
        {
            "feature_statistics": {"mean": "AAAAAAAAAAA=", "projection": "AAAAAA==", "limit": 1}
        },  # two features, one axis
        {"stem_axis": {"real": [1, 2, 3, 4], "imaginary": [1, 2, 3, 4, 5], "confidence": 0.3}},
    ],
)
def test_a_card_that_is_wrong_is_refused(folder: Path, changes: dict[str, object]) -> None:
    edit_manifest(folder, **changes)
    with pytest.raises(BundleError) as refused:
        load_bundle(folder)
    one_sentence(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"files": {"a": "short"}}', b"[" * 100_000]
)
def test_a_manifest_that_is_no_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.json").write_bytes(content)
    with pytest.raises(BundleError) as refused:
        load_bundle(folder)
    one_sentence(refused.value)


@pytest.mark.parametrize("name", ["model.pt", "weights.pth", "model.pkl", "last.ckpt"])
def test_a_pickle_offered_as_a_model_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"weights": [1.0]}))
    with pytest.raises(BundleError, match="pickle"):
        load_bundle(path)


def test_a_pickle_by_any_other_name_is_refused_and_never_run(folder: Path) -> None:
    ran = folder.parent / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (ran,))

    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    files = json.loads((folder / "model.json").read_text())["files"]
    edit_manifest(folder, files={**files, "model.safetensors": "0" * 64})
    with pytest.raises(BundleError, match="pickle"):
        load_bundle(folder)
    assert not ran.exists()


def test_network_that_answers_differently_today_is_refused(folder: Path) -> None:
    """The hashes fit, but the reference was recorded by another network."""
    recorded = json.loads((folder / "reference_outputs.json").read_text())
    recorded["logits"][0] += 0.01
    (folder / "reference_outputs.json").write_text(json.dumps(recorded))
    bundle = seal_bundle(folder, load_bundle(folder, verify=False).card)
    with pytest.raises(BundleError, match="does not reproduce its reference"):
        Classifier(bundle, "cpu")


def test_onnx_that_is_none_is_refused_in_words(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"\x0a\x03abc")
    bundle = seal_bundle(folder, load_bundle(folder, verify=False).card)
    with pytest.raises(BundleError, match="cannot load model"):
        Classifier(bundle, "cpu")


def test_bundles_are_found_by_their_manifest(sealed: Path, tmp_path: Path) -> None:
    shutil.copytree(sealed, sealed.parent / ".half-written")
    assert find_bundles(sealed.parent) == [sealed]
    assert find_bundles(tmp_path / "nowhere") == []


def test_seen_in_training(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    plain = bundles.make_bundle(folder)
    assert not plain.seen_in_training("ab" * 32)
    (folder / "training_hashes.txt").write_text(f"{'ab' * 32}\n{'cd' * 32}\n")
    listed = seal_bundle(folder, plain.card)
    assert listed.seen_in_training("AB" * 32)
    assert not listed.seen_in_training("ef" * 32)
    assert not listed.seen_in_training("")
    seen = bundles.radiograph(bundles.hip(), sha256="cd" * 32)
    assert Classifier(listed, "cpu").predict(seen, whole()).seen_in_training


def whole():
    from imaging.geometry import HipRegion

    return HipRegion(0, 0, bundles.SIZE, bundles.SIZE)
