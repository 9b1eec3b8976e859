"""Compiled functions: what they give, and that no cache, or a broken one, stops nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from world2act_core.robot.pair_bounds import PairBounds

MODULE = '''
from world2act_core.robot.compiled import compiled

@compiled("float64(float64[::1])")
def largest(values):
    """The largest."""
    most = values[0]
    for value in values:
        most = max(most, value)
    return most
'''
ASK = """
import numpy, small
print(small.largest(numpy.array([1.0, 3.0, 2.0])), sum(small.largest.stats.cache_hits.values()))
"""


def answer(folder: Path, code: str = ASK) -> tuple[list[str], str]:
    """What a new Python prints that imports the module, whose cache is in the folder, and what it complains about."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(folder)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.split(), ran.stderr


@pytest.mark.parametrize("broken", ["nbi", "nbc"])
def test_a_broken_cache_is_none(tmp_path: Path, broken: str) -> None:
    (tmp_path / "small.py").write_text(MODULE)
    assert answer(tmp_path) == (["3.0", "0"], "")
    assert answer(tmp_path) == (["3.0", "1"], ""), "what was compiled is not kept"
    for file in (tmp_path / "cache").rglob(f"*.{broken}"):
        file.write_bytes(file.read_bytes()[:10])  # as a computer leaves it that was switched off
    printed, complaint = answer(tmp_path)
    assert printed == ["3.0", "0"] and "small.largest is compiled at every start" in complaint
    assert "delete the *.nbi" in complaint


def test_without_a_folder_to_write_it_works_as_well(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(MODULE)
    nowhere = "from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []; "
    printed, complaint = answer(tmp_path, nowhere + ASK)
    assert printed == ["3.0", "0"] and "let NUMBA_CACHE_DIR name a folder" in complaint
    assert not (tmp_path / "cache").exists()


def test_the_bounds_are_those_of_plain_arithmetic() -> None:
    rng = np.random.default_rng(0)
    levers, known_at = rng.uniform(0.0, 1.0, (20, 6)), rng.uniform(-2.0, 2.0, (20, 6))
    known = rng.uniform(0.0, 0.4, 20)
    bounds = PairBounds(levers)
    assert bounds.look(np.zeros((2, 6)), 0.1) == (list(range(20)), []), "nothing is known yet"
    for pair in range(20):
        bounds.remember(pair, known_at[pair], known[pair])
    low = known_at.mean(0) - rng.uniform(0.0, 0.02, 6)
    high = low + rng.uniform(0.0, 0.04, 6)
    for scale in (0.02, 0.1, 1.0):  # the last: all of them are in doubt
        middle = known_at * scale
        for pair in range(20):
            bounds.remember(pair, middle[pair], known[pair])
        near, due = bounds.look(np.stack([low, high]) * scale, 0.05)
        turned = np.maximum(middle - low * scale, high * scale - middle)
        expected = known - (turned * levers).sum(1)
        np.testing.assert_allclose(bounds.bounds, expected, atol=1e-12)
        assert near == np.flatnonzero(expected < 0.05).tolist()
        left = np.where(expected < 0.05, np.inf, (expected - 0.05) / (known - 0.05))
        assert due == ([int(left.argmin())] if left.min() < 0.4 else [])
        assert bounds.travel(3, turned[3].tolist()) == pytest.approx(known[3] - expected[3])
