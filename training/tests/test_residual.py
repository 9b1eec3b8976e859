"""The residual head: exactly the base policy at zero, bounded otherwise, and with the right gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.common.errors import TrainingError
from training.post_training.actions import add_residual, residual_bound
from training.post_training.config import ResidualConfig
from training.post_training.frozen import module_hash
from training.post_training.network import PictureToken
from training.post_training.policies import ResidualPolicy
from training.post_training.residual import ResidualHead
from training.tests.synthetic_post_training import (
    CONTRACT,
    FixedPolicy,
    TinyActionAdapter,
    some_inputs,
    stir,
    tiny_head,
    tiny_vla,
)
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import Observation

VARIANTS = [
    {"variant": "action"},
    {"variant": "latent"},
    {"variant": "latent", "latent_decode": "direct"},
]


def bits(values: torch.Tensor) -> torch.Tensor:
    return values.contiguous().view(torch.int32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_untrained_head_keeps_every_bit_of_the_base(variant: dict[str, str]) -> None:
    images, state, base = some_inputs(5)
    base[0, 1, 2] = 0.3  # a policy of somebody else's may exceed the limits
    head = tiny_head(**variant)
    assert torch.equal(bits(head(images, state, base)), bits(base))
    with torch.no_grad():
        assert torch.equal(bits(head(images, state, base)), bits(base))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_bound_of_zero_keeps_every_bit_of_the_base(variant: dict[str, str]) -> None:
    images, state, base = some_inputs(5)
    head = tiny_head(bound=(0.0,), **variant)
    stir(head.network, 3.0)
    assert head.network(images, state, torch.zeros(5, 32)).abs().min() > 0
    with torch.no_grad():
        assert torch.equal(bits(head(images, state, base)), bits(base))


def test_with_a_real_vla_zero_is_the_vla() -> None:
    model, (images, state, _) = tiny_vla(), some_inputs(3)
    text = torch.nn.functional.normalize(torch.randn(3, 384), dim=-1)
    with torch.no_grad():
        base, _ = model.act(images, state, text, torch.zeros(3, 8, 7))
        assert torch.equal(bits(tiny_head()(images, state, base)), bits(base))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_residual_is_bounded_and_only_the_executed_steps_change(variant: dict[str, str]) -> None:
    images, state, base = some_inputs(16)
    head = tiny_head(bound=(0.1, 0.2, 0.0), latent_bound=50.0, **variant)
    stir(head.network, 2.0)
    stir(head.coder.adapter, 2.0)
    with torch.no_grad():
        result = head(images, state, base)
    half = torch.tensor([0.05] * 3 + [0.5] * 3 + [1.0])
    bound = half * torch.tensor([0.1] * 3 + [0.2] * 3 + [0.0])
    change = (result - base)[:, :4].abs()
    assert (change <= bound + 1e-6).all() and change[..., :3].max() > 0.9 * bound[0]
    assert torch.equal(bits(result[:, :4, 6]), bits(base[:, :4, 6]))  # bound 0 for the gripper alone
    assert torch.equal(bits(result[:, 4:]), bits(base[:, 4:]))
    low, high = torch.from_numpy(CONTRACT.action_low), torch.from_numpy(CONTRACT.action_high)
    assert ((result >= low) & (result <= high)).all()


def test_the_latent_variant_adds_what_the_decoder_changes() -> None:
    images, state, base = some_inputs(4)
    head = tiny_head(variant="latent", bound=(1e6,), latent_bound=0.3)
    stir(head.network, 0.05)
    adapter, half = head.coder.adapter, torch.tensor([0.05] * 3 + [0.5] * 3 + [1.0])
    with torch.no_grad():
        shares = base[:, :4] / half
        code = adapter.encode(shares)
        shift = 0.3 * torch.tanh(head.network(images, state, code))
        expected = (adapter.decode(code + shift) - adapter.decode(code)) * half
        torch.testing.assert_close(head.residual(images, state, base[:, :4]), expected, rtol=1e-4, atol=1e-6)
        direct = tiny_head(variant="latent", bound=(1e6,), latent_bound=0.3, latent_decode="direct")
        direct.load_own(head.own_tensors())
        total = base[:, :4] + direct.residual(images, state, base[:, :4])
        torch.testing.assert_close(total, adapter.decode(code + shift) * half, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_reach_an_untrained_head(variant: dict[str, str]) -> None:
    images, state, base = some_inputs(6)
    head = tiny_head(**variant)
    head.coder.code_of(head(images, state, base)).square().sum().backward()
    last = head.network.head[-1]
    assert last.weight.grad is not None and last.weight.grad.abs().max() > 1e-6
    assert all(parameter.grad is None for parameter in head.coder.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient_through_the_frozen_adapter_equals_finite_differences(variant: dict[str, str]) -> None:
    images, state, base = some_inputs(3)
    head = tiny_head(**variant).double()
    stir(head.network, 0.1)
    base = 0.5 * base.double()  # inside the limits, where the sum has a true derivative
    base[:, 0, 0] = 0.01
    weight = torch.randn(3, 32, dtype=torch.float64)

    def value() -> torch.Tensor:
        return (weight * head.coder.code_of(head(images, state.double(), base))).sum()

    parameter = head.network.head[-1].bias
    value().backward()
    assert parameter.grad is not None
    for index in range(0, len(parameter), 9):
        step = 1e-6
        with torch.no_grad():
            parameter[index] += step
            above = value()
            parameter[index] -= 2 * step
            below = value()
            parameter[index] += step
        assert float(parameter.grad[index]) == pytest.approx(float(above - below) / (2 * step), rel=1e-5, abs=1e-9)


def test_gradient_passes_a_limit_in_both_directions() -> None:
    low, high = torch.tensor([-1.0, -1.0, -1.0]), torch.tensor([1.0, 1.0, 1.0])
    base = torch.tensor([[1.0, -1.0, 0.2]])
    residual = torch.tensor([[0.3, 0.0, 0.1]], requires_grad=True)
    total = add_residual(base, residual, low, high)
    torch.testing.assert_close(total, torch.tensor([[1.0, -1.0, 0.3]]))
    (total * torch.tensor([2.0, 3.0, 4.0])).sum().backward()
    assert residual.grad is not None and residual.grad.tolist() == [[2.0, 3.0, 4.0]]


def test_cameras_may_differ_in_size() -> None:
    contract = tabletop_contract(image_size=32)
    large = contract.cameras[1].model_copy(update={"width": 200, "height": 56})
    contract = contract.model_copy(update={"cameras": (contract.cameras[0], large)})
    head = ResidualHead(contract, TinyActionAdapter(), ResidualConfig())
    stir(head.network, 0.3)
    images, state, base = some_inputs(2)
    images["wrist"] = torch.full((2, 56, 200, 3), 255, dtype=torch.uint8)
    with torch.no_grad():
        dark = head(images | {"wrist": torch.zeros_like(images["wrist"])}, state, base)
        assert (head(images, state, base)[:, :4] != dark[:, :4]).any()
    with pytest.raises(TrainingError, match=r"scene 16x16, wrist 16x16: it needs at least 20 pixels"):
        ResidualHead(tabletop_contract(image_size=16), TinyActionAdapter(), ResidualConfig())


def test_colours_and_places_are_read_as_pixels() -> None:
    """The plane of 3 W columns and the scaled weights against the same convolution over pixels in [-1, 1]."""
    token = PictureToken(CONTRACT.cameras, 32)
    images, _, _ = some_inputs(2)
    pixels = images["wrist"].permute(0, 3, 1, 2).float() / 127.5 - 1.0
    weight = token.first.weight.unflatten(3, (4, 3)).squeeze(1).permute(0, 3, 1, 2)
    x = torch.relu(torch.nn.functional.conv2d(pixels, weight, token.first.bias, stride=4))
    expected = torch.relu(token.third(torch.relu(token.second(x))))
    torch.testing.assert_close(token._cells_of(images["wrist"]), expected, rtol=1e-4, atol=1e-5)


def test_bounds_by_number_dimension_and_entry() -> None:
    def bound(*values: float, unit: str = "limits") -> list[float]:
        config = ResidualConfig(bound=values, bound_unit=unit)  # type: ignore[arg-type]
        return [round(float(value), 6) for value in residual_bound(CONTRACT, config)]

    assert bound(0.2) == [0.01] * 3 + [0.1] * 3 + [0.2]
    assert bound(0.1, 0.2, 0.3) == [0.005] * 3 + [0.1] * 3 + [0.3]
    assert bound(0.004, 0.02, 0.5, unit="contract") == [0.004] * 3 + [0.02] * 3 + [0.5]
    assert bound(*range(7), unit="contract") == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    for wrong in ((), (0.1, 0.2), (-0.1,), (float("nan"),)):
        with pytest.raises(TrainingError, match=r"--residual.bound.*delta_position \[3\]"):
            bound(*wrong)


def test_any_policy_can_be_corrected_and_the_residual_switched_off() -> None:
    """A policy with larger pictures and longer chunks than those the head was trained on."""
    contract = tabletop_contract(image_size=48).model_copy(update={"chunk_length": 12})
    actions = np.random.default_rng(0).uniform(-0.02, 0.02, (12, 7)).astype(np.float32)
    head = tiny_head()
    stir(head.network, 0.3)
    policy = ResidualPolicy(FixedPolicy(actions, contract), head)
    images = {name: np.full((48, 48, 3), 90, np.uint8) for name in ("scene", "wrist")}
    observation = Observation(1.5, images, np.zeros(10, np.float32))
    chunk = policy.act(observation, "pick up the can", skill_id=2)
    assert chunk.start_time_s == 1.5 and chunk.skill_id == 2 and chunk.actions.shape == (12, 7)
    assert (chunk.actions[:4] != actions[:4]).any() and chunk.actions[4:].tobytes() == actions[4:].tobytes()
    policy.enabled = False
    assert policy.act(observation, "pick up the can").actions.tobytes() == actions.tobytes()
    with pytest.raises(TrainingError, match="robot"):
        ResidualPolicy(FixedPolicy(actions, contract.model_copy(update={"robot": "UR5e"})), head)


def test_the_adapter_is_frozen_and_hashes_see_every_bit() -> None:
    adapter = TinyActionAdapter()
    before = module_hash(adapter)
    head = tiny_head(adapter=adapter)
    assert not any(parameter.requires_grad for parameter in adapter.parameters())
    assert set(head.trainable()) == {name for name, p in head.named_parameters() if p.requires_grad}
    assert not any("adapter" in name for name in head.own_tensors())
    with torch.no_grad():
        weight = next(adapter.parameters())
        weight.view(-1)[3] = torch.nextafter(weight.view(-1)[3], torch.tensor(9.0))
    assert module_hash(adapter) != before
