from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from world2act_core.bundle import load_bundle
from world2act_core.compatibility import ContractMismatch
from world2act_core.contract import Contract
from world2act_core.engine import EngineError
from world2act_core.files import sha256_file
from world2act_core.manifest import BundleError, SplitMetric, read_manifest, save_manifest
from world2act_core.policy import BundlePolicy
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import Observation

from .conftest import rewrite_manifest

MakeBundle = Callable[..., Path]
Save = Callable[..., Path]


def observation(grey: int = 51, size: int = 32, first_state: float = 0.25) -> Observation:
    image = np.full((size, size, 3), grey, dtype=np.uint8)
    state = np.zeros(10, dtype=np.float32)
    state[0] = first_state
    return Observation(time_s=7.5, images={"scene": image, "wrist": image}, state=state)


def test_a_bundle_opens_with_everything_it_declares(make_bundle: MakeBundle) -> None:
    bundle = load_bundle(make_bundle(), expected=tabletop_contract(image_size=128))
    assert set(bundle.manifest.files) == {"policy.onnx", "contract.yaml", "card.md"}
    assert set(bundle.manifest.text_encoder.sha256) == {"model.onnx", "tokenizer.json", "config.yaml"}
    assert bundle.contract == tabletop_contract(image_size=16)
    assert bundle.sha256 == sha256_file(bundle.path / "manifest.yaml")


def test_metrics_are_added_without_touching_the_files(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    manifest = read_manifest(folder)
    metric = SplitMetric(success_rate=0.98, n=100, interval=(0.93, 0.99))
    save_manifest(folder, manifest.model_copy(update={"metrics": {"pick": {"seen": metric}}}))
    assert load_bundle(folder).manifest.metrics["pick"]["seen"] == metric


@pytest.mark.parametrize(
    "name",
    ["policy.onnx", "contract.yaml", "card.md"]
    + [f"../text-encoder/{name}" for name in ("model.onnx", "tokenizer.json", "config.yaml")],
)
def test_one_changed_byte_of_any_file_is_found_before_anything_is_loaded(make_bundle: MakeBundle, name: str) -> None:
    folder = make_bundle()
    files = read_manifest(folder).files, read_manifest(folder).text_encoder.sha256
    assert Path(name).name in {*files[0], *files[1]} and len(files[0]) + len(files[1]) == 6, "a file is not tried here"
    expected = sha256_file(folder / name)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match="changed or damaged") as caught:
        load_bundle(folder)
    message = str(caught.value)
    assert Path(name).name in message and expected in message and sha256_file(folder / name) in message


@pytest.mark.parametrize("name", ["policy.onnx.data", "weights/part.bin", "../text-encoder/extra.bin"])
def test_a_file_that_nobody_vouches_for_is_refused(make_bundle: MakeBundle, name: str) -> None:
    folder = make_bundle()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"weights")
    with pytest.raises(BundleError, match=rf"{Path(name).name} is not in the manifest.*take it out"):
        load_bundle(folder)
    (folder / name).rename(folder / ".hidden")
    assert load_bundle(folder).manifest.files, "hidden files are nobody's business"


def test_missing_files_are_named(make_bundle: MakeBundle, tmp_path: Path) -> None:
    folder = make_bundle()
    (folder / "policy.onnx").unlink()
    with pytest.raises(BundleError, match=r"policy\.onnx is missing"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="has no manifest.yaml"):
        load_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("schema_version", 2, "schema_version"),
        ("files", {"../../secret": "0" * 64}, "must be a path inside"),
        ("files", {"policy.onnx": "abc"}, "files.policy.onnx"),
        ("files", {"policy.onnx": "0" * 64}, r"files must list contract\.yaml"),
        ("policy_graph", "/other.onnx", "must be a path inside"),
        ("surprise", 1, "surprise: Extra inputs"),
        (
            "text_encoder",
            {"folder": "/etc", "sha256": {"a": "0" * 64}},
            "text_encoder.folder: .*relative to the bundle",
        ),
        ("text_encoder", {"folder": "", "sha256": {"a": "0" * 64}}, "text_encoder.folder: .*relative to the bundle"),
    ],
)
def test_a_wrong_manifest_is_refused(make_bundle: MakeBundle, field: str, value: object, message: str) -> None:
    folder = make_bundle()
    data = yaml.safe_load((folder / "manifest.yaml").read_text())
    (folder / "manifest.yaml").write_text(yaml.safe_dump({**data, field: value}))
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_a_manifest_cannot_run_code(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    (folder / "manifest.yaml").write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(BundleError, match=r"cannot read .*manifest\.yaml"):
        load_bundle(folder)


def test_another_robots_bundle_is_refused(make_bundle: MakeBundle) -> None:
    folder = make_bundle(contract=tabletop_contract(robot="UR5e", image_size=16))
    with pytest.raises(ContractMismatch, match="robot: profile fr3 has Panda, bundle nano has UR5e"):
        load_bundle(folder, expected=tabletop_contract(), expected_name="profile fr3")


def test_policy_computes_the_graph_on_fitted_images(make_bundle: MakeBundle) -> None:
    policy = BundlePolicy(load_bundle(make_bundle()))
    policy.warm_up()
    chunk = policy.act(observation(grey=51, size=32, first_state=0.25), "pick up the can", skill_id=4)
    # noise 0 + 51/255 + 0.25 = 0.45 in every entry.
    np.testing.assert_allclose(chunk.actions, np.full((8, 7), 0.45), atol=1e-6)
    assert (chunk.sequence, chunk.start_time_s, chunk.skill_id) == (1, 7.5, 4)
    assert chunk.step_s == pytest.approx(0.1) and 0.0 <= chunk.done <= 1.0 and chunk.inference_s > 0
    noise = np.arange(56, dtype=np.float32).reshape(8, 7)
    other = policy.act(observation(), "pick up the can", noise=noise)
    np.testing.assert_allclose(other.actions, noise + 0.45, rtol=1e-6)
    assert other.sequence == 2


def test_policy_names_what_is_wrong_with_an_observation(make_bundle: MakeBundle) -> None:
    policy = BundlePolicy(load_bundle(make_bundle()))
    good = observation()
    with pytest.raises(ValueError, match=r"lacks cameras \['wrist'\]; it has \['scene'\]"):
        policy.act(Observation(0.0, {"scene": good.images["scene"]}, good.state), "x")
    with pytest.raises(ValueError, match="10 finite numbers"):
        policy.act(Observation(0.0, good.images, good.state[:9]), "x")
    with pytest.raises(ValueError, match="10 finite numbers"):
        policy.act(Observation(0.0, good.images, np.full(10, np.nan, dtype=np.float32)), "x")
    with pytest.raises(ValueError, match=r"noise must have shape \(8, 7\)"):
        policy.act(good, "x", noise=np.zeros((7, 8), dtype=np.float32))


def test_a_policy_output_that_is_not_finite_never_becomes_a_chunk(make_bundle: MakeBundle) -> None:
    policy = BundlePolicy(load_bundle(make_bundle()))
    with pytest.raises(EngineError, match="output 'actions' has 1 of 56 values"):
        noise = np.zeros((8, 7), dtype=np.float32)
        noise[3, 2] = np.nan
        policy.act(observation(), "x", noise=noise)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chunk_length": 6}, r"input should take noise: float32 \[1, 8, 7\], the graph has"),
        ({"image_size": 24}, r"image_scene: uint8 \[1, 16, 16, 3\]"),
    ],
)
def test_a_graph_that_does_not_fit_its_contract(make_bundle: MakeBundle, change: dict[str, int], message: str) -> None:
    graph = tabletop_contract(image_size=change.get("image_size", 16))
    graph = graph.model_copy(update={key: value for key, value in change.items() if key != "image_size"})
    with pytest.raises(EngineError, match=message):
        BundlePolicy(load_bundle(make_bundle(graph_contract=graph)))


def test_a_renamed_output_is_named(make_bundle: MakeBundle, contract: Contract, save_policy_graph: Save) -> None:
    folder = make_bundle()
    save_policy_graph(folder / "policy.onnx", contract, actions_name="action")
    rewrite_manifest(folder)
    with pytest.raises(EngineError, match="output 'actions' is missing"):
        BundlePolicy(load_bundle(folder))


def test_another_text_encoder_is_refused(make_bundle: MakeBundle, tmp_path: Path, save_text_encoder: Save) -> None:
    folder = make_bundle()
    save_text_encoder(tmp_path / "text-encoder", dim=384, name="other-encoder")
    rewrite_manifest(folder)
    with pytest.raises(BundleError, match=r"all-minilm-l6-v2.*text-encoder holds .*other-encoder"):
        BundlePolicy(load_bundle(folder))
