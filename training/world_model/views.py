"""Several cameras in one picture: the views of an instant side by side, as the paper packs them (2x2 grid there)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.common.errors import DatasetError

BLACK = "-"
TOKEN = 16
"""Pixels per side that one token of the transformer covers."""


@dataclass(frozen=True)
class ViewLayout:
    """Where each camera's view goes. ``grid``: cells of a row joined by "|", rows by "/", "-" for a black cell."""

    grid: str
    cell_height: int
    cell_width: int

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Camera names by row and column."""
        rows = tuple(tuple(cell.strip() for cell in row.split("|")) for row in self.grid.split("/"))
        if len({len(row) for row in rows}) != 1 or not all(all(row) for row in rows):
            raise DatasetError(f"view layout {self.grid!r}: every row needs the same number of named cells")
        return rows

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that are shown."""
        return tuple(name for row in self.rows for name in row if name != BLACK)

    @property
    def height(self) -> int:
        """Pixels of the packed frame."""
        return self.cell_height * len(self.rows)

    @property
    def width(self) -> int:
        """Pixels of the packed frame."""
        return self.cell_width * len(self.rows[0])

    def changed(self, grid: str, cell_height: int, cell_width: int) -> ViewLayout:
        """This layout with what is given (not empty, not zero) in its place; DatasetError for a size that latents of 8
        pixels a side, two by two to a token, do not fill."""
        layout = ViewLayout(grid or self.grid, cell_height or self.cell_height, cell_width or self.cell_width)
        if min(layout.cell_height, layout.cell_width) < 1 or layout.height % TOKEN or layout.width % TOKEN:
            raise DatasetError(
                f"view layout {layout.grid!r} of {layout.cell_width}x{layout.cell_height} pixels a view makes a "
                f"picture of {layout.width}x{layout.height}; both must be multiples of {TOKEN}: change --cell-height "
                "or --cell-width"
            )
        return layout


def pack(views: Mapping[str, NDArray[np.uint8]], layout: ViewLayout) -> NDArray[np.uint8]:
    """Frames uint8 [..., H, W, 3] per camera, resized to their cells -> packed uint8 [..., height, width, 3]."""
    missing = [name for name in layout.cameras if name not in views]
    if missing:
        raise DatasetError(f"view layout {layout.grid!r} needs cameras {missing}; there are {sorted(views)}")
    leading = next(iter(views.values())).shape[:-3]
    packed = np.zeros((*leading, layout.height, layout.width, 3), np.uint8)
    for i, row in enumerate(layout.rows):
        for j, name in enumerate(row):
            if name != BLACK:
                top, left = i * layout.cell_height, j * layout.cell_width
                cell = packed[..., top : top + layout.cell_height, left : left + layout.cell_width, :]
                cell[...] = _resized(views[name], layout.cell_height, layout.cell_width)
    return packed


def pack_views(scene: NDArray[np.uint8], wrist: NDArray[np.uint8], layout: ViewLayout) -> NDArray[np.uint8]:
    """:func:`pack` for the two cameras of Tabletop: uint8 [..., H, W, 3] each."""
    return pack({"scene": scene, "wrist": wrist}, layout)


def _resized(frames: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """uint8 [..., H, W, 3] -> [..., height, width, 3], by area averaging when shrinking."""
    if frames.dtype != np.uint8 or frames.ndim < 3 or frames.shape[-1] != 3:
        raise ValueError(f"expected uint8 [..., H, W, 3] frames, got {frames.dtype} {frames.shape}")
    if frames.shape[-3:-1] == (height, width):
        return frames
    import cv2

    how = cv2.INTER_AREA if frames.shape[-3] >= height else cv2.INTER_LINEAR
    flat = frames.reshape(-1, *frames.shape[-3:])
    resized = np.stack([cv2.resize(frame, (width, height), interpolation=how) for frame in flat])
    return resized.reshape(*frames.shape[:-3], height, width, 3).astype(np.uint8, copy=False)
