"""What counts as a wrong picture: small coloured things more than speckles of the table."""

from __future__ import annotations

import torch

from training.world_model.picture_error import moving, visible_error


def _speckles(size: float) -> torch.Tensor:
    """Grey noise [1, 3, 1, 16, 16]."""
    grey = torch.randn(1, 1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * size
    return grey.expand(-1, 3, -1, -1, -1)


def test_it_is_the_emphasised_difference_written_out() -> None:
    difference = torch.randn(2, 3, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    error = visible_error(difference, fine=0.25, colour=4.0)
    for b, t, row, column in ((0, 0, 0, 0), (1, 1, 7, 5), (0, 1, 3, 4)):
        pixel = difference[b, :, t, row, column]
        top, left = row // 4 * 4, column // 4 * 4
        area = difference[b, :, t, top : top + 4, left : left + 4].mean()
        seen = area + 0.25 * (pixel.mean() - area) + 4.0 * (pixel - pixel.mean())
        torch.testing.assert_close(error[b, 0, t, row, column], seen.abs().mean())


def test_a_missing_cube_weighs_more_than_all_the_speckles_of_its_surroundings() -> None:
    cube = torch.zeros(1, 3, 1, 16, 16)
    cube[:, 0, :, 4:8, 4:8] = 0.8
    speckles = _speckles(0.2)
    assert visible_error(cube, 0.25, 3.0).sum() > visible_error(speckles, 0.25, 3.0).sum()
    assert cube.abs().sum() < speckles.abs().sum()  # a plain difference says the opposite


def test_speckles_that_pass_are_no_movement_and_a_passing_cube_is() -> None:
    clip = _speckles(0.15).repeat(1, 1, 3, 1, 1)
    clip[:, :, 1] = clip[:, :, 1].roll(3, dims=-1)
    clip[:, 0, 2, 8:12, 8:12] += 0.6
    moved = moving(clip)
    assert not moved[:, :, 0].any()
    assert moved[:, :, 1].mean() < 0.3
    assert moved[0, 0, 2, 8:12, 8:12].all() and moved[0, 0, 2].mean() < 0.3
