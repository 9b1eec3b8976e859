"""World2Act without ROS and torch: contract, engines, chunk sampling, limits, skills, statistics.

The names below are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "ActionChunk": "types",
    "ActionDim": "contract",
    "ActionLimits": "limits",
    "ArmTarget": "types",
    "Bundle": "bundle",
    "BundleError": "bundle",
    "BundlePolicy": "policy",
    "CameraSpec": "contract",
    "ChunkError": "chunks",
    "ChunkSampler": "chunks",
    "Contract": "contract",
    "ContractError": "contract",
    "ContractMismatch": "compatibility",
    "EXTENDED_VOCABULARY": "vocabulary",
    "EefPose": "types",
    "Engine": "engine",
    "EngineError": "engine",
    "FIXTURE_VOCABULARY": "vocabulary",
    "GrammarPlanner": "grammar",
    "LlmClient": "llm",
    "LlmEndpoint": "llm",
    "LlmError": "llm_error",
    "LlmPlanner": "llm_planner",
    "MonitorConfig": "monitor_config",
    "MonitorError": "monitor",
    "ObjectEntry": "vocabulary",
    "Observation": "types",
    "OnnxEngine": "engine",
    "Plan": "plan",
    "PlanError": "plan",
    "Sample": "chunks",
    "Skill": "skill",
    "SkillError": "skill",
    "SkillKind": "vocabulary",
    "SkillMonitor": "monitor",
    "SkillSequencer": "sequencer",
    "StateDim": "contract",
    "TABLETOP_VOCABULARY": "vocabulary",
    "TextEncoder": "text_encoder",
    "TextEncoderSpec": "contract",
    "Vocabulary": "vocabulary",
    "WorkspaceBox": "limits",
    "check_compatible": "compatibility",
    "fit_image": "images",
    "fixture_vocabulary": "vocabulary",
    "load_bundle": "bundle",
    "mcnemar_exact": "statistics",
    "paired_comparison": "statistics",
    "tabletop_contract": "tabletop",
    "wilson_interval": "statistics",
}

__all__ = sorted([*_HOMES, "__version__"])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
