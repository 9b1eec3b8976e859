"""The parts of the policy against hand-computed cases."""

from __future__ import annotations

import numpy as np
import torch

from training.common.schedule import learning_rate
from training.vla.augment import shifted
from training.vla.config import TINY_MODEL
from training.vla.encoder import Pointers, SpatialSoftmax, fold_pixels
from training.vla.flow import FlowHead, interpolate
from training.vla.losses import pointing_loss
from training.vla.normalisation import Normalisation
from world2act_core.tabletop import tabletop_contract


def test_folding_keeps_every_pixel() -> None:
    image = torch.arange(2 * 8 * 12 * 3, dtype=torch.int32).reshape(2, 8, 12, 3)
    folded = fold_pixels(image, 4)
    assert folded.shape == (2, 48, 2, 3)
    # Cell (1, 2): rows 4-7, columns 8-11; entry (row 3, column 1, green) of it.
    assert folded[1, (3 * 4 + 1) * 3 + 1, 1, 2] == image[1, 7, 9, 1]


def test_spatial_softmax_finds_a_peak() -> None:
    heat = torch.full((1, 5, 9, 2), -50.0)
    heat[0, 0, 8, 0] = 50.0  # top right
    heat[0, 2, 4, 1] = 50.0  # the middle
    np.testing.assert_allclose(SpatialSoftmax(5, 9)(heat)[0].numpy(), [1.0, 0.0, -1.0, 0.0], atol=1e-6)


def test_a_pointer_reads_what_lies_where_its_query_matches() -> None:
    pointers = Pointers(4, 6, 3, 2, 1)
    with torch.no_grad():
        pointers.query.weight.zero_()
        pointers.query.bias.copy_(torch.tensor([100.0, 0.0, 0.0]))
    cells = torch.zeros(1, 4, 6, 3)
    cells[0, 3, 0] = torch.tensor([1.0, 5.0, -2.0])
    found, heat = pointers(cells, torch.zeros(1, 2))
    # Bottom left in the grid's coordinates, certain, and the features of that cell.
    np.testing.assert_allclose(found[0].detach().numpy(), [-1, 1, 1, 1, 5, -2], atol=1e-4)
    assert heat.shape == (1, 1, 4, 6) and heat[0, 0].argmax() == 3 * 6


def test_pointing_loss_is_least_where_the_place_is() -> None:
    # The place lies 1/4 of a cell right of the middle of cell (row 1, column 2) of a 3 x 4 map.
    place = torch.tensor([[[(2.75) / 4, 1.5 / 3], [np.nan, np.nan]]])
    best = torch.full((1, 2, 3, 4), -60.0)
    best[0, 0, 1, 2], best[0, 0, 1, 3] = np.log(0.75), np.log(0.25)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    loss = pointing_loss({"scene": best}, {"scene": place})
    np.testing.assert_allclose(float(loss), entropy, atol=1e-5)
    # The second pointer has nothing to point at, so its heat does not matter; a uniform map costs log(cells).
    best[0, 1] = 7.0
    np.testing.assert_allclose(float(pointing_loss({"scene": best}, {"scene": place})), entropy, atol=1e-5)
    uniform = pointing_loss({"scene": torch.zeros(1, 2, 3, 4)}, {"scene": place})
    np.testing.assert_allclose(float(uniform), np.log(12), atol=1e-5)


def test_nothing_to_point_at_costs_nothing() -> None:
    nowhere = torch.full((2, 2, 2), np.nan)
    assert float(pointing_loss({"scene": torch.zeros(2, 2, 3, 4)}, {"scene": nowhere})) == 0.0
    assert float(pointing_loss({}, {})) == 0.0


def test_denoising_lands_on_a_constant_prediction() -> None:
    head = FlowHead(8, 7, 16, TINY_MODEL)
    goal = torch.randn(8 * 7)
    with torch.no_grad():
        head.write.weight.zero_()
        head.write.bias.copy_(goal)
    for steps in (1, 4):
        result = head.denoise(torch.randn(3, 8, 7), torch.randn(3, 16), steps)
        torch.testing.assert_close(result, goal.reshape(1, 8, 7).expand(3, 8, 7))


def test_interpolation_starts_at_noise_and_ends_at_data() -> None:
    noise, clean = torch.zeros(2, 8, 7), torch.ones(2, 8, 7)
    path = interpolate(noise, clean, torch.tensor([0.0, 0.25]))
    assert path[0].eq(0).all() and path[1].eq(0.25).all()


def test_normalisation_inverts_itself_and_keeps_the_limits() -> None:
    contract = tabletop_contract()
    rng = np.random.default_rng(0)
    states = rng.normal(size=(50, 10)).astype(np.float32)
    actions = (rng.uniform(contract.action_low, contract.action_high, (50, 7))).astype(np.float32)
    normalisation = Normalisation.fitted(contract, states, actions)
    tensor = torch.from_numpy(actions)
    decoded = normalisation.decode_actions(normalisation.encode_actions(tensor))
    torch.testing.assert_close(decoded, tensor, atol=1e-6, rtol=1e-5)
    far = normalisation.decode_actions(torch.full((1, 7), 99.0))
    np.testing.assert_array_equal(far[0].numpy(), contract.action_high)
    assert normalisation.encode_actions(tensor)[:, 6].equal(tensor[:, 6])


def test_shift_moves_pixels_and_repeats_the_edge() -> None:
    frame = np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
    moved = shifted([frame, frame], np.array([[1, 0], [0, -2]]))[..., 0]
    assert moved[0].tolist() == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert moved[1][0].tolist() == [2, 3, 3, 3]


def test_learning_rate_by_hand() -> None:
    shape = {"peak": 1.0, "final": 0.1, "warmup": 10, "tail": 0.5}
    assert learning_rate(0.0, 0, **shape) == 0.1  # type: ignore[arg-type]
    assert learning_rate(0.4, 50, **shape) == 1.0  # type: ignore[arg-type]
    assert abs(learning_rate(0.75, 90, **shape) - 0.55) < 1e-9  # type: ignore[arg-type]
    assert abs(learning_rate(1.0, 99, **shape) - 0.1) < 1e-9  # type: ignore[arg-type]
