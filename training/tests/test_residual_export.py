"""A residual on the robot: the graphs say what torch says, the policy stays what it was, and misfits are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from training.common.errors import ExportError
from training.evaluation.evaluate import EvaluateConfig, evaluate, policy_identity
from training.evaluation.rollout import RolloutConfig
from training.evaluation.update import update_bundle
from training.export import policy as policies
from training.export import residual as residuals
from training.export import residual_parity
from training.export.join import PREFIX, join_graphs
from training.export.residual import ResidualExportConfig, export_residual
from training.post_training.codes import ImaginedCodesConfig, write_imagined_codes
from training.post_training.frozen import module_hash
from training.post_training.initial_states import StartsConfig
from training.post_training.load import load_residual
from training.post_training.policies import BaseSource, ResidualPolicy
from training.post_training.residual import ResidualHead
from training.tests.synthetic_post_training import imagined_run, tiny_vla_run
from training.tests.synthetic_residual import adapters_run, residual_run
from training.tests.synthetic_run import TEXT_ENCODER
from training.vla.model import NanoVla
from world2act_core.bundle import load_bundle
from world2act_core.files import sha256_file
from world2act_core.imagined import ImaginedCodesError
from world2act_core.manifest import BundleError, read_manifest
from world2act_core.monitor_config import (
    MONITOR_NAME,
    CalibrationFacts,
    MonitorConfig,
    Separation,
    install_monitor,
    weights_of,
)
from world2act_core.policy import BundlePolicy
from world2act_core.residual import ResidualError
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import Observation

VARIANTS = [{"variant": "action"}, {"variant": "latent"}, {"variant": "latent", "latent_decode": "direct"}]
PROMPT = "pick up the red cube"


def once(export: Callable[..., None]) -> Callable[..., None]:
    """Equal weights go through torch's exporter once: that is what takes time."""
    graphs: dict[str, bytes] = {}

    def remembered(module: NanoVla | ResidualHead, path: Path) -> None:
        key = module_hash(module) + repr((module.config, module.contract))
        if key not in graphs:
            export(module, path)
            graphs[key] = path.read_bytes()
        path.write_bytes(graphs[key])

    return remembered


@pytest.fixture(scope="module", autouse=True)
def exported_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "export_graph", once(policies.export_graph))
        patch.setattr(residuals, "export_residual_graph", once(residuals.export_residual_graph))
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of an untrained policy."""
    root = tmp_path_factory.mktemp("base")
    out, run = root / "models" / "tiny", tiny_vla_run(root / "run")
    policies.export_policy(policies.PolicyExportConfig(run, out, "tiny", text_encoder=TEXT_ENCODER, samples=2))
    return out


Export = Callable[..., Path]


@pytest.fixture(scope="module")
def export(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Make a residual and export it; keywords go to the residual, ``options`` to the export."""

    def make(options: dict[str, object] | None = None, base_hash: str = "", **changes: object) -> Path:
        root = tmp_path_factory.mktemp("residual")
        known = base_hash or sha256_file(base / "policy.onnx")
        residual_run(root / "run", known, **{"bound": (0.5,), "stirred": 0.3, **changes})  # type: ignore[arg-type]
        values: dict[str, object] = {"base": base, "out": root / "out", "cache": root, "samples": 4, **(options or {})}
        return export_residual(ResidualExportConfig(run=root / "run", **values))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="module")
def corrected(export: Export) -> Path:
    """A bundle with a residual that moves things."""
    return export()


def observations(count: int = 6) -> list[Observation]:
    """Pictures of noise, larger than the policy wants them."""
    rng = np.random.default_rng(4)
    result = []
    for i in range(count):
        images = {name: rng.integers(0, 256, (48, 48, 3), dtype=np.uint8) for name in ("scene", "wrist")}
        result.append(Observation(float(i), images, rng.normal(size=10).astype(np.float32)))
    return result


def test_off_is_the_policy_and_on_is_torch(base: Path, corrected: Path) -> None:
    alone, policy = BundlePolicy(load_bundle(base)), BundlePolicy(load_bundle(corrected))
    torch_policy = ResidualPolicy(alone, load_residual(corrected.parent / "run").head)
    policy.warm_up()
    for seen in observations():
        expected = alone.act(seen, PROMPT)
        policy.residual_on = False
        off = policy.act(seen, PROMPT)
        assert off.actions.tobytes() == expected.actions.tobytes() and off.done == expected.done
        assert off.residual_size == 0.0 and off.code is not None
        policy.residual_on = True
        on = policy.act(seen, PROMPT)
        wanted = torch_policy.correct(seen, expected)
        np.testing.assert_allclose(on.actions, wanted.actions, atol=1e-5)
        np.testing.assert_allclose(on.code, wanted.code, atol=1e-4)
        assert on.residual_size == pytest.approx(wanted.residual_size, rel=1e-3) and on.residual_size > 0.01
        assert on.done == expected.done and on.actions[4:].tobytes() == expected.actions[4:].tobytes()
        assert np.abs(on.code - off.code).max() > 1e-4
    assert np.isnan(expected.residual_size) and expected.code is None


def test_one_graph_or_two_is_the_same(corrected: Path) -> None:
    bundle = load_bundle(corrected)
    fused, separate = BundlePolicy(bundle, form="fused"), BundlePolicy(bundle, form="separate")
    separate.warm_up()
    for seen in observations():
        one, other = fused.act(seen, PROMPT), separate.act(seen, PROMPT)
        np.testing.assert_allclose(one.actions, other.actions, atol=1e-6)
        np.testing.assert_allclose(one.code, other.code, atol=1e-5)
        assert one.residual_size == pytest.approx(other.residual_size, abs=1e-6) and one.done == other.done


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_residual_of_zero_is_the_policy_bit_for_bit(base: Path, export: Export, variant: dict[str, str]) -> None:
    out = export(**variant)
    moved = BundlePolicy(load_bundle(out))
    assert moved.act(observations(1)[0], PROMPT).residual_size > 0.001
    # The same graphs with the last layer as it is before training: nothing but zeros.
    for name in ("residual.onnx", "policy-residual.onnx"):
        model = onnx.load(str(out / name))
        last = [item for item in model.graph.initializer if "head.network.head.2." in item.name]
        assert len(last) == 2
        for item in last:
            item.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(item)), item.name))
        onnx.save(model, str(out / name))
    accept(out)
    bundle, alone = load_bundle(out), BundlePolicy(load_bundle(base))
    fused, separate = BundlePolicy(bundle), BundlePolicy(bundle, form="separate")
    for seen in observations(3):
        expected = alone.act(seen, PROMPT).actions.tobytes()
        for policy in (fused, separate):
            chunk = policy.act(seen, PROMPT)
            assert chunk.actions.tobytes() == expected and chunk.residual_size == 0.0


def test_the_policys_nodes_stay_the_same(base: Path, corrected: Path) -> None:
    alone, joined = (onnx.load(str(path)).graph for path in (base / "policy.onnx", corrected / "policy-residual.onnx"))
    own = [node for node in joined.node if not any(name.startswith(PREFIX) for name in node.output)]
    renamed = {"actions": "base_actions"}
    for theirs, ours in zip(alone.node, own[: len(alone.node)], strict=True):
        assert (theirs.op_type, list(theirs.input)) == (ours.op_type, list(ours.input))
        assert [renamed.get(name, name) for name in theirs.output] == list(ours.output)
        assert theirs.attribute == ours.attribute
    weights = {item.name: item for item in joined.initializer}
    assert all(weights[item.name] == item for item in alone.initializer)
    assert sha256_file(corrected / "policy.onnx") == sha256_file(base / "policy.onnx")


def test_manifest_card_and_metrics(base: Path, corrected: Path) -> None:
    manifest = load_bundle(corrected).manifest
    assert manifest.residual is not None and manifest.residual.fused_graph == "policy-residual.onnx"
    assert set(manifest.residual.files) < set(manifest.files) and manifest.training["residual"]["variant"] == "action"
    assert "| variant | action |" in (corrected / "card.md").read_text()
    assert "residual:" not in (base / "manifest.yaml").read_text()
    metric = {"success_rate": 0.5, "n": 2, "interval": (0.1, 0.9)}
    update_bundle(corrected, {"metrics": {"pick": {"seen": metric}}})
    again = load_bundle(corrected).manifest
    assert again.residual == manifest.residual and again.metrics["pick"]["seen"].n == 2
    assert "## Residual" in (corrected / "card.md").read_text()


def test_results_of_policy_and_residual_are_told_apart(base: Path, corrected: Path) -> None:
    on = EvaluateConfig()
    off = replace(on, rollout=replace(on.rollout, residual="off"))
    bundles = [load_bundle(base), load_bundle(corrected)]
    found = {policy_identity(bundle, config) for bundle in bundles for config in (on, off)}
    assert len(found) == 4


def test_a_residual_that_waits_to_be_switched_on(base: Path, corrected: Path, export: Export) -> None:
    measured = Path(shutil.copytree(base, base.with_name("measured")))
    metric = {"success_rate": 0.5, "n": 2, "interval": (0.1, 0.9)}
    update_bundle(measured, {"metrics": {"pick": {"seen": metric}}})
    waiting, auto = load_bundle(export({"start": "off", "base": measured})), EvaluateConfig()
    assert waiting.manifest.metrics["pick"]["seen"].n == 2, "the policy alone is what it was"
    assert not load_bundle(export({"base": measured})).manifest.metrics
    assert waiting.manifest.residual is not None and not BundlePolicy(waiting).residual_on
    assert "on_at_start: false" in (waiting.path / "manifest.yaml").read_text()
    assert "on_at_start" not in (corrected / "manifest.yaml").read_text(), "older readers know it"
    assert BundlePolicy(load_bundle(corrected)).residual_on
    on, off = (replace(auto, rollout=replace(auto.rollout, residual=choice)) for choice in ("on", "off"))
    assert policy_identity(waiting, auto) == policy_identity(waiting, off) != policy_identity(waiting, on)
    assert policy_identity(load_bundle(corrected), auto) == policy_identity(load_bundle(corrected), on)


@pytest.mark.long
def test_an_evaluation_records_score_and_size(export: Export, tmp_path: Path) -> None:
    adapters_run(tmp_path / "adapters")
    imagined_run(tmp_path / "imagined", 1, shard_size=1, starts=StartsConfig(kinds=("pick",), first_seed=0))
    path = write_imagined_codes(ImaginedCodesConfig(tmp_path / "imagined", tmp_path / "adapters", tmp_path / "codes"))
    config = EvaluateConfig(
        bundle=export({"imagined_codes": path}), out=tmp_path / "out", kinds=("pick",), episodes=1, workers=1, videos=0,
        rollout=RolloutConfig(skill_seconds=1.5, done_threshold=1.1),
    )  # fmt: skip
    (on,) = evaluate(config)["episodes"]
    (off,) = evaluate(replace(config, rollout=replace(config.rollout, residual="off")))["episodes"]
    assert on["residual_size"] > 0.01 and off["residual_size"] == 0.0
    for row in (on, off):
        scores = row["alignment_chunks"]  # three chunks were imagined
        assert len(scores) == row["inferences"] > 3 and None not in scores[:3] and set(scores[3:]) == {None}
        assert row["alignment"] == pytest.approx(sum(scores[:3]) / 3) and -1 <= row["alignment"] <= 1
    assert on["alignment_chunks"][0] != off["alignment_chunks"][0]
    assert len((tmp_path / "out" / "episodes.jsonl").read_text().splitlines()) == 2


def test_a_residual_of_another_policy_needs_a_word(export: Export) -> None:
    with pytest.raises(ExportError, match=r"with hash cccccccccccc .*give that one as --base, or say --any-base"):
        export(base_hash="c" * 64)
    bundle = load_bundle(export({"any_base": True, "fused": False}, base_hash="c" * 64))
    assert bundle.fused_path is None and bundle.manifest.residual is not None and bundle.manifest.residual.base is None
    assert BundlePolicy(bundle).act(observations(1)[0], PROMPT).residual_size > 0
    with pytest.raises(ResidualError, match=r"no graph with policy and residual in one.*export-residual"):
        BundlePolicy(bundle, form="fused")


def test_a_run_is_exported_on_the_way_and_known_by_its_weights(base: Path, export: Export) -> None:
    weights = read_manifest(base).training["weights_sha256"]
    run = base.parent.parent / "run"
    bundle = load_bundle(export({"base": run, "text_encoder": TEXT_ENCODER}, base_hash=weights))
    assert bundle.manifest.training["weights_sha256"] == weights and bundle.fused_path is not None
    assert bundle.text_encoder_path.resolve() == TEXT_ENCODER.resolve()


def test_the_residual_of_a_base_is_left_out(base: Path, corrected: Path, export: Export) -> None:
    again = load_bundle(export({"base": corrected, "fused": False}))
    assert again.manifest.residual is not None and again.fused_path is None
    assert sha256_file(again.graph_path) == sha256_file(base / "policy.onnx")
    alone, policy = BundlePolicy(load_bundle(base)), BaseSource(corrected, TEXT_ENCODER).open()
    for observation in observations():
        expected, found = alone.act(observation, "pick up the can"), policy.act(observation, "pick up the can")
        assert found.actions.tobytes() == expected.actions.tobytes()


def test_refusals(base: Path, export: Export) -> None:
    with pytest.raises(ExportError, match=r"robot: policy .* has Panda, residual .* has UR5e"):
        export(contract=tabletop_contract("UR5e", image_size=32))
    with pytest.raises(ExportError, match="is the policy's own bundle"):
        export({"base": base, "out": base})


def test_pictures_of_another_size_need_two_graphs(export: Export) -> None:
    larger = tabletop_contract(image_size=48)
    with pytest.raises(ExportError, match=r"takes image_scene .*48, 48, 3.*the policy .*32, 32, 3.*--no-fused"):
        export(contract=larger)
    separate = load_bundle(export({"fused": False}, contract=larger))
    assert BundlePolicy(separate).act(observations(1)[0], PROMPT).residual_size > 0


def test_a_graph_that_differs_is_not_written(export: Export, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(residual_parity.TOLERANCE, "code", 0.0)
        with pytest.raises(ExportError, match=r"residual\.onnx differs from torch by {'code'.*nothing was written"):
            export({"out": tmp_path / "out"})
    assert not (tmp_path / "out").exists()


def test_a_changed_or_exchanged_file_is_refused(corrected: Path, tmp_path: Path) -> None:
    for name in ("residual.onnx", "policy-residual.onnx", "residual-contract.yaml"):
        copy = _copy(corrected, tmp_path / name)
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
        with pytest.raises(BundleError, match=rf"{name} was changed or damaged"):
            load_bundle(copy)
    # Another policy in the place of the one that was joined, with a manifest that knows it.
    copy = _copy(corrected, tmp_path / "other")
    shutil.copyfile(corrected / "residual.onnx", copy / "policy.onnx")
    with pytest.raises(BundleError, match=r"joined with a policy of sha256 .*export-residual"):
        accept(copy)
    # A residual for another robot.
    copy = _copy(corrected, tmp_path / "robot")
    tabletop_contract("UR5e", image_size=32).to_yaml(copy / "residual-contract.yaml")
    accept(copy)
    with pytest.raises(BundleError, match=r"robot: the policy of bundle .* has Panda, its residual has UR5e"):
        load_bundle(copy)


def accept(bundle: Path) -> None:
    """Write the manifest anew for whatever is in the folder now."""
    update_bundle(bundle, {"metrics": {}})


def _copy(bundle: Path, folder: Path) -> Path:
    """A copy in the same place relative to the text encoder."""
    target = bundle.parent / f"copy-{folder.name}"
    shutil.copytree(bundle, target)
    return target


def test_imagined_codes_travel_with_the_bundle(base: Path, export: Export, tmp_path: Path) -> None:
    imagined_run(tmp_path / "imagined", 4, shard_size=2)
    adapters_run(tmp_path / "adapters")
    config = ImaginedCodesConfig(tmp_path / "imagined", tmp_path / "adapters", tmp_path / "codes.safetensors", 3)
    path = write_imagined_codes(config)
    bundle = load_bundle(export({"imagined_codes": path}))
    book = bundle.code_book()
    assert book is not None and len(book.starts) == 3 and book.size == 32
    start = book.starts["pick/seen/2000000"]
    assert start.codes.shape == (1, 3, 32) and start.prompts[0].startswith("pick up the ")
    adapters_run(tmp_path / "others", seed=1)
    other = write_imagined_codes(ImaginedCodesConfig(tmp_path / "imagined", tmp_path / "others", tmp_path / "o"))
    with pytest.raises(ExportError, match=r"export both with the adapters of one"):
        export({"imagined_codes": other})
    with pytest.raises(ImaginedCodesError, match="the adapters of one"):
        bundle.code_book(other)
    with pytest.raises(ImaginedCodesError, match="bundle tiny has no residual"):
        load_bundle(base).code_book(path)


def test_only_graphs_that_fit_are_joined(corrected: Path, tmp_path: Path) -> None:
    policy, joined, residual = (
        onnx.load(str(corrected / f"{name}.onnx")) for name in ("policy", "policy-residual", "residual")
    )
    with pytest.raises(ExportError, match="already has base_actions"):
        join_graphs(joined, residual, 4)
    policy.opset_import[0].version = 17
    with pytest.raises(ExportError, match=r"operator sets \[\('', 17\)\], the residual's \[\('', 18\)\]"):
        join_graphs(policy, residual, 4)


def test_a_bundle_with_a_monitor_can_be_exported_anew(export: Export, tmp_path: Path) -> None:
    """Its monitor was calibrated for the weights before: it is left out, as `export` leaves it out."""
    out = tmp_path / "models" / "watched"
    export({"out": out})
    manifest = read_manifest(out)
    area = Separation(auc=0.8, interval=(0.7, 0.9), failures=12, successes=30)
    facts = CalibrationFacts(
        created="2026-01-01T00:00:00+00:00", bundle_name=manifest.name, bundle_sha256="0" * 64,
        weights=weights_of(manifest.files), protocol={}, false_alarm_limit=0.05, calibration_failures=10,
        calibration_successes=20, auc=area, auc_equal_length=area,
    )  # fmt: skip
    monitor = MonitorConfig(enabled=True, score="residual_size", alarm_when="above", threshold=0.3, calibration=facts)
    install_monitor(out, manifest, monitor)
    assert load_bundle(out).monitor == monitor
    export({"out": out}, variant="latent")
    assert load_bundle(out).monitor is None and MONITOR_NAME not in read_manifest(out).files
    assert not (out / MONITOR_NAME).exists()
