"""Whether mixed precision is worth it where this process computes."""

from __future__ import annotations

import functools

import torch


def use_bf16(wanted: bool, device: str = "cpu") -> bool:
    """Whether to autocast to bfloat16 on a device of this type: when it is wanted and the processor has it.

    A CPU without bfloat16 instructions emulates them and takes many times as long. It computes in float32 then, which
    is never less exact, and says so once.
    """
    return wanted and (device != "cpu" or _processor_has_it())


@functools.cache
def _processor_has_it() -> bool:
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return True
    print("this processor has no bfloat16 instructions: training in float32", flush=True)
    return False
