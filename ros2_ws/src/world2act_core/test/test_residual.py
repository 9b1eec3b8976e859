"""A bundle with a residual: what it changes, how it is switched off, and when the bundle is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from world2act_core.bundle import load_bundle
from world2act_core.engine import EngineError
from world2act_core.imagined import CodeBook, ImaginedCodesError, ImaginedStart, write_code_book
from world2act_core.manifest import BundleError, read_manifest
from world2act_core.policy import BundlePolicy
from world2act_core.residual import Corrector, ResidualError, residual_size
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk, Observation

Make = Callable[..., Path]
SHIFT = 0.01  # what the test residual adds: the first entry of the state


def observation(size: int = 32) -> Observation:
    image = np.full((size, size, 3), 51, dtype=np.uint8)
    return Observation(7.5, {"scene": image, "wrist": image}, np.full(10, SHIFT, np.float32))


def test_the_residual_changes_the_first_steps_and_says_by_how_much(make_bundle: Make, add_residual: Make) -> None:
    alone = BundlePolicy(load_bundle(make_bundle("alone"))).act(observation(), "x")
    policy = BundlePolicy(load_bundle(add_residual()))
    policy.warm_up()
    assert policy.has_residual
    chunk = policy.act(observation(), "x", skill_id=3)
    np.testing.assert_allclose(chunk.actions[:4], alone.actions[:4] + SHIFT, rtol=1e-6)
    assert chunk.actions[4:].tobytes() == alone.actions[4:].tobytes() and chunk.skill_id == 3
    assert chunk.code is not None and chunk.code.tolist() == chunk.actions[0, :5].tolist()
    # Half the ranges are 0.05 m, 0.5 rad and 1: shares of 0.2, 0.02 and 0.01.
    assert chunk.residual_size == pytest.approx((3 * 0.2 + 3 * 0.02 + 0.01) / 7, rel=1e-4)
    policy.residual_on = False
    off = policy.act(observation(), "x")
    assert off.actions.tobytes() == alone.actions.tobytes() and off.residual_size == 0.0 and off.code is not None


def test_a_residual_that_nobody_needs_is_not_run(
    make_bundle: Make, add_residual: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = BundlePolicy(load_bundle(make_bundle("alone"))).act(observation(), "x")
    policy = BundlePolicy(load_bundle(add_residual(on_at_start=False)))
    assert not policy.residual_on and policy.act(observation(), "x").code is not None
    policy.code_wanted = False
    policy.residual_on = True
    assert policy.act(observation(), "x").residual_size > 0, "it is on"
    policy.residual_on = False

    def run(*_: object) -> None:
        raise AssertionError("the residual was run")

    monkeypatch.setattr(Corrector, "correct", run)
    off = policy.act(observation(), "x")
    assert off.actions.tobytes() == alone.actions.tobytes() and off.residual_size == 0.0 and off.code is None


def test_a_bundle_without_a_residual_is_as_it_was(make_bundle: Make) -> None:
    folder = make_bundle()
    assert "residual" not in (folder / "manifest.yaml").read_text()
    bundle = load_bundle(folder)
    policy = BundlePolicy(bundle)
    chunk = policy.act(observation(), "x")
    assert not policy.has_residual and chunk.code is None and np.isnan(chunk.residual_size)
    assert bundle.code_book() is None and bundle.residual_path is None and bundle.fused_path is None
    with pytest.raises(ResidualError, match="no graph with policy and residual in one"):
        BundlePolicy(bundle, form="fused")


def test_a_residual_may_want_pictures_of_another_size(add_residual: Make) -> None:
    policy = BundlePolicy(load_bundle(add_residual(contract=tabletop_contract(image_size=24))))
    assert policy.act(observation(), "x").residual_size > 0


def test_size_by_hand() -> None:
    contract, base = tabletop_contract(), np.zeros((4, 7), np.float32)
    actions = base.copy()
    actions[1, 0], actions[3, 6] = -0.05, 0.5
    assert residual_size(actions, base, contract) == pytest.approx(1.5 / 28)


@pytest.mark.parametrize("name", ["residual.onnx", "residual-contract.yaml"])
def test_a_changed_or_missing_file_is_named(add_residual: Make, name: str) -> None:
    folder = add_residual()
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name} was changed or damaged"):
        load_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=rf"{name} is missing"):
        load_bundle(folder)


def test_files_that_the_manifest_does_not_list_are_named(add_residual: Make) -> None:
    with pytest.raises(BundleError, match=r"files must list codes\.safetensors"):
        add_residual(imagined_codes="codes.safetensors")


def test_a_graph_joined_with_another_policy_is_refused(add_residual: Make) -> None:
    with pytest.raises(BundleError, match=r"joined with a policy of sha256 bbbb.*export-residual"):
        add_residual(fused_graph="residual.onnx", base="b" * 64)


def test_a_residual_of_another_robot_is_refused(add_residual: Make) -> None:
    folder = add_residual(contract=tabletop_contract("UR5e", image_size=16))
    with pytest.raises(BundleError, match="robot: the policy of bundle nano has Panda, its residual has UR5e"):
        load_bundle(folder)


def test_a_residual_for_longer_chunks_is_refused(add_residual: Make) -> None:
    with pytest.raises(BundleError, match="corrects 9 steps, the policy's chunks have 8"):
        load_bundle(add_residual(steps=9))


def test_a_graph_that_does_not_fit_its_description_is_refused(add_residual: Make) -> None:
    with pytest.raises(EngineError, match=r"residual\.onnx .*output should take code: float32 \[1, 5\], the graph has"):
        BundlePolicy(load_bundle(add_residual(graph_code=6)))


def test_chunks_that_cannot_be_corrected_are_refused(add_residual: Make) -> None:
    corrector = Corrector.of_bundle(load_bundle(add_residual()))
    assert corrector is not None
    with pytest.raises(EngineError, match=r"at least 4 x 7 actions, got \[3, 7\]"):
        corrector.correct(observation(), ActionChunk(0, 0.0, 0.1, np.zeros((3, 7), np.float32)))
    with pytest.raises(ValueError, match=r"lacks cameras \['wrist'\]"):
        corrector.correct(
            Observation(0.0, {"scene": observation().images["scene"]}, observation().state),
            ActionChunk(0, 0.0, 0.1, np.zeros((4, 7), np.float32)),
        )
    chunk = corrector.correct(observation(), ActionChunk(0, 0.0, 0.1, np.zeros((4, 7), np.float32), inference_s=5.0))
    np.testing.assert_allclose(chunk.actions, SHIFT)
    assert chunk.inference_s > 5.0


def test_imagined_codes_are_part_of_the_bundle(make_bundle: Make, add_residual: Make, renew_manifest: Make) -> None:
    folder = add_residual()
    book = CodeBook(4, "a" * 64, "v" * 64, False, {"s": ImaginedStart(("x",), np.ones((1, 2, 5), np.float32))})
    write_code_book(folder / "codes.safetensors", book)
    residual = read_manifest(folder).residual
    assert residual is not None
    renew_manifest(folder, residual.model_copy(update={"imagined_codes": "codes.safetensors"}))
    bundle = load_bundle(folder)
    found = bundle.code_book()
    assert found is not None and found.find("") is not None
    renew_manifest(
        folder, residual.model_copy(update={"action_adapter": "c" * 64, "imagined_codes": "codes.safetensors"})
    )
    with pytest.raises(ImaginedCodesError, match=r"belong to action adapter aaaa.* cccc.* the adapters of one"):
        load_bundle(folder).code_book()
    with pytest.raises(ImaginedCodesError, match="bundle other has no residual"):
        load_bundle(make_bundle("other")).code_book(folder / "codes.safetensors")
