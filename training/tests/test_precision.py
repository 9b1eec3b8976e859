"""bfloat16 only where it is no emulation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from training.common import precision
from training.common.precision import use_bf16


@pytest.fixture
def fresh() -> Iterator[None]:
    """The answer is kept for a process; not between these tests."""
    precision._processor_has_it.cache_clear()
    yield
    precision._processor_has_it.cache_clear()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("native", [True, False])
def test_a_processor_without_it_uses_float32_and_says_so_once(
    native: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: native)
    assert [use_bf16(True), use_bf16(True, "cpu"), use_bf16(False)] == [native, native, False]
    assert capsys.readouterr().out.count("float32") == (0 if native else 1)


@pytest.mark.usefixtures("fresh")
def test_other_devices_are_taken_at_their_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert use_bf16(True, "cuda") and not use_bf16(False, "cuda")
