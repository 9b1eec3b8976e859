"""The command line: one subcommand per training step, imported only when it is asked for."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from training.common.interrupt import as_ctrl_c


@dataclass(frozen=True)
class Command:
    """Where a subcommand lives: ``module`` has ``config`` (a frozen dataclass) and ``function(config)``."""

    module: str
    config: str
    function: str
    summary: str


COMMANDS: dict[str, Command] = {
    "collect": Command("training.data.collect", "CollectConfig", "collect", "record scripted demonstrations"),
    "pack": Command("training.data.pack", "PackConfig", "pack", "move finished staged episodes into the dataset"),
    "cache": Command("training.data.cache", "CacheConfig", "build_cache", "decode a dataset once, for training"),
    "skills": Command("training.skills.build", "SkillsConfig", "build_skills", "cut demonstrations into skill clips"),
    "import-libero": Command(
        "training.data.importers.libero", "ImportLiberoConfig", "import_libero", "LIBERO's HDF5 files to a dataset"
    ),
    "import-robocasa": Command(
        "training.data.importers.robocasa",
        "ImportRobocasaConfig",
        "import_robocasa",
        "RoboCasa's HDF5 files to a dataset",
    ),
    "import-recordings": Command(
        "training.data.importers.recordings",
        "ImportRecordingsConfig",
        "import_recordings",
        "what the robot's recorder wrote to a dataset",
    ),
    "export-text-encoder": Command(
        "training.export.text_encoder",
        "TextEncoderExportConfig",
        "export_text_encoder",
        "sentence encoder to ONNX",
    ),
    "vla": Command("training.vla.train", "VlaTrainConfig", "train", "train the nano VLA"),
    "imagine": Command(
        "training.post_training.imagine", "ImagineConfig", "imagine", "what a world model expects from initial states"
    ),
    "post-train": Command(
        "training.post_training.command",
        "PostTrainConfig",
        "post_train",
        "align actions with imagined latents (Stage 2)",
    ),
    "post-train-pixels": Command(
        "training.post_training.pixel_space", "PixelConfig", "post_train_pixels", "the same through decoded video"
    ),
    "export": Command("training.export.policy", "PolicyExportConfig", "export_policy", "checkpoint to a policy bundle"),
    "export-residual": Command(
        "training.export.residual", "ResidualExportConfig", "export_residual", "post-trained residual to a bundle"
    ),
    "imagined-codes": Command(
        "training.post_training.codes",
        "ImaginedCodesConfig",
        "write_imagined_codes",
        "imagined latents to the codes that a robot compares with",
    ),
    "evaluate": Command("training.evaluation.evaluate", "EvaluateConfig", "evaluate", "measure a bundle in simulation"),
    "calibrate-monitor": Command(
        "training.monitoring.calibrate",
        "CalibrateMonitorConfig",
        "calibrate_monitor",
        "threshold of the run-time monitor from evaluated episodes",
    ),
    "evaluate-arm": Command(
        "training.evidence.arm", "EvaluateArmConfig", "evaluate_arm", "measure one policy of a comparison"
    ),
    "measure-latency": Command(
        "training.evidence.latency", "LatencyConfig", "measure_latency", "what a residual adds to one inference"
    ),
    "measure-imagination": Command(
        "training.evidence.imagination",
        "ImaginationConfig",
        "measure_imagination",
        "how much of an expert's actions imagined video tells",
    ),
    "evidence": Command(
        "training.evidence.command", "EvidenceConfig", "evidence", "what the measurements say about each claim"
    ),
    "reproduce": Command(
        "training.recipes.world2act.command", "ReproduceConfig", "reproduce", "a whole paper, from nothing to a report"
    ),
    "world-model-vae": Command(
        "training.world_model.train_vae", "VaeTrainConfig", "train_vae", "train the causal video VAE"
    ),
    "world-model-latents": Command(
        "training.world_model.latents", "LatentsConfig", "build_latents", "encode a dataset's windows once"
    ),
    "world-model-imagine": Command(
        "training.world_model.imagine_latents",
        "ImagineLatentsConfig",
        "imagine_latents",
        "a dataset's windows as a world model imagines them",
    ),
    "world-model": Command(
        "training.world_model.train", "WorldModelTrainConfig", "train_world_model", "train the video world model"
    ),
    "world-model-generate": Command(
        "training.world_model.generate", "GenerateConfig", "generate", "imagine a video, skill by skill"
    ),
    "world-model-evaluate": Command(
        "training.world_model.evaluate", "EvaluateConfig", "evaluate", "compare world models on held-out episodes"
    ),
    "recipe": Command("training.recipes.tabletop_nano", "RecipeConfig", "run", "collect, train, export and evaluate"),
    "align": Command("training.alignment.train", "AlignConfig", "align", "align video latents and action chunks"),
}


def help_text() -> str:
    """One line per subcommand."""
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        ["usage: python -m training COMMAND [options]", "", *lines, "", "COMMAND --help lists its options"]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status (2 for a usage error, 1 for a failed step, 130 after Ctrl-C)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _termination_as_ctrl_c():
            return _run(arguments)
    except KeyboardInterrupt:  # while modules are loaded, or in what ends at once anyway
        print("error: interrupted; what was finished is kept", file=sys.stderr)
        return 130


@contextmanager
def _termination_as_ctrl_c() -> Iterator[None]:
    """SIGTERM, which `docker stop` and a shutting-down machine send, ends a command as tidily as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, as_ctrl_c)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(help_text())
        return 0 if arguments else 2
    name = arguments[0]
    if name not in COMMANDS:
        print(f"unknown command {name!r}\n\n{help_text()}", file=sys.stderr)
        return 2
    # Two OpenMP threads that spin on a shared machine slow each other down to a crawl.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("MUJOCO_GL", "egl")
    import tyro

    from training.common.errors import TrainingError

    command = COMMANDS[name]
    module = importlib.import_module(command.module)
    config = tyro.cli(getattr(module, command.config), prog=f"python -m training {name}", args=arguments[1:])
    try:
        getattr(module, command.function)(config)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
