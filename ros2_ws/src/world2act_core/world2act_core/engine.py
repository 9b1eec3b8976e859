"""Running a network: arrays in by name, arrays out by name, with every assumption checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ProviderName = Literal["cpu", "cuda", "tensorrt", "auto"]

_PROVIDERS: dict[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_DTYPES: dict[str, str] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class EngineError(RuntimeError):
    """A graph that cannot be loaded, inputs that do not fit it, or outputs that are not numbers."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output; shape holds None where any size is allowed."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """True when an array of this shape fits."""
        return len(shape) == len(self.shape) and all(
            want is None or want == have for want, have in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        dims = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype} [{dims}]"


BATCH_DIMENSION = "batch"
"""Name of the free first dimension in exported graphs."""


class Engine(Protocol):
    """Anything that runs a graph. inputs and outputs: their specs by name; provider: what executes it."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    provider: str

    def infer(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Run once; EngineError when an input does not fit or an output is not finite."""
        ...


class OnnxEngine:
    """An ONNX file run by ONNX Runtime.

    provider: `cpu`; `cuda` or `tensorrt`, an error when this machine cannot; `auto`: CUDA where it works, else CPU.
    threads: CPU threads for one inference, 0 lets ONNX Runtime choose. batch: the only batch size that will be asked
    for (None: any); the answers are the same, a little sooner, because shapes are known when the graph is optimised.
    """

    def __init__(
        self, path: str | Path, provider: ProviderName = "cpu", threads: int = 1, batch: int | None = None
    ) -> None:
        self.path = Path(path)
        self._session = _open_session(self.path, provider, threads, batch)
        self.provider: str = str(self._session.get_providers()[0])
        self.inputs: Mapping[str, TensorSpec] = {spec.name: spec for spec in map(_spec, self._session.get_inputs())}
        self.outputs: Mapping[str, TensorSpec] = {spec.name: spec for spec in map(_spec, self._session.get_outputs())}

    def infer(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once: input arrays by name -> output arrays by name.

        Raises EngineError naming the input that is missing, unknown or of the wrong dtype or shape, or the output
        that holds a NaN or an infinity.
        """
        self._check_inputs(arrays)
        names = list(self.outputs)
        try:
            values = self._session.run(names, dict(arrays))
        except Exception as error:  # ONNX Runtime has no common base class for its errors
            raise EngineError(f"{self.path}: inference failed: {_first_line(error)}") from error
        outputs = dict(zip(names, values, strict=True))
        for name, value in outputs.items():
            if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
                bad = int(value.size - np.isfinite(value).sum())
                raise EngineError(f"{self.path}: output '{name}' has {bad} of {value.size} values that are not finite")
        return outputs

    def warm_up(self, runs: int = 2) -> None:
        """Run on zeros (size 1 where any is allowed), so that the first real inference is not the slow one."""
        zeros = {
            spec.name: np.zeros([1 if size is None else size for size in spec.shape], dtype=spec.dtype)
            for spec in self.inputs.values()
        }
        for _ in range(runs):
            self.infer(zeros)

    def _check_inputs(self, arrays: Mapping[str, Array]) -> None:
        missing = [name for name in self.inputs if name not in arrays]
        unknown = [name for name in arrays if name not in self.inputs]
        if missing or unknown:
            expected = "; ".join(str(spec) for spec in self.inputs.values())
            raise EngineError(f"{self.path}: missing inputs {missing}, unknown inputs {unknown}; it takes {expected}")
        for name, spec in self.inputs.items():
            array = arrays[name]
            if str(array.dtype) != spec.dtype or not spec.accepts(array.shape):
                raise EngineError(f"{self.path}: input must be {spec}, got {array.dtype} {list(array.shape)}")


def available_providers() -> tuple[str, ...]:
    """What this machine's ONNX Runtime offers, in our names (`cpu`, `cuda`, `tensorrt`)."""
    import onnxruntime

    installed = onnxruntime.get_available_providers()
    return tuple(name for name, full in _PROVIDERS.items() if full in installed)


def session_options(threads: int) -> Any:
    """ONNX Runtime's options with which a graph computes the same on every processor.

    Without them an int8 matrix product overflows on x86 processors that have no VNNI instructions: every sentence comes
    out of the text encoder as another vector, without any error.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _open_session(path: Path, provider: str, threads: int, batch: int | None) -> Any:
    import onnxruntime

    if provider not in (*_PROVIDERS, "auto"):
        raise EngineError(f"unknown provider '{provider}'; choose one of {', '.join(_PROVIDERS)}, auto")
    if not path.is_file():
        raise EngineError(f"{path}: no such file; export the policy first, or give a bundle that has this graph")
    installed = available_providers()
    if provider == "auto":
        wanted = ["cuda"] if "cuda" in installed else []
    elif provider not in installed:
        raise EngineError(_missing_provider(provider, installed, "it is not in the installed onnxruntime"))
    else:
        wanted = [provider]
    options = session_options(threads)
    if batch is not None:
        options.add_free_dimension_override_by_name(BATCH_DIMENSION, batch)
    options.log_severity_level = 4  # everything that goes wrong is raised, so it need not be printed too
    names = [_PROVIDERS[name] for name in dict.fromkeys([*wanted, "cpu"])]
    try:
        session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=names)
    except Exception as error:  # ONNX Runtime has no common base class for its errors
        if "Attempt to replace the existing tensor" in str(error):
            raise EngineError(
                f"{path}: its int8 weights are used by more than one node, which ONNX Runtime cannot make exact on "
                "this processor (no VNNI instructions); give every matrix product weights of its own, or quantise to "
                "7 bits (reduce_range)"
            ) from error
        raise EngineError(
            f"{path}: not a usable ONNX graph, probably truncated or damaged ({_first_line(error)}); "
            f"copy or export it again"
        ) from error
    # ONNX Runtime only warns when a GPU's libraries do not load, and runs on the CPU instead.
    if provider in ("cuda", "tensorrt") and session.get_providers()[0] != _PROVIDERS[provider]:
        raise EngineError(_missing_provider(provider, installed, "its libraries or driver could not be loaded"))
    return session


def _missing_provider(provider: str, installed: tuple[str, ...], reason: str) -> str:
    return (
        f"provider '{provider}' is not available: {reason}. Available here: {', '.join(installed)}. "
        f"Install onnxruntime-gpu with a matching NVIDIA driver, or use provider 'cpu' or 'auto'."
    )


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return TensorSpec(node.name, _DTYPES.get(node.type, node.type), shape)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
