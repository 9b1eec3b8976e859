"""Sizes of the world model and settings of its training steps. Size is configuration: the classes are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.world_model.views import ViewLayout

CHUNK = 4  # frames per latent after the first one, and actions per chunk


@dataclass(frozen=True)
class VaeShape:
    """Arguments of diffusers' AutoencoderKLCosmos: 16 latent channels, 8x in space, 4x in time, causal.

    Without channels: the linear one of :mod:`training.world_model.linear_vae`.
    """

    encoder_channels: tuple[int, ...] = ()
    decoder_channels: tuple[int, ...] = ()
    layers: int = 1
    latent_channels: int = 16

    @property
    def linear(self) -> bool:
        """Fitted by least squares instead of trained."""
        return not self.encoder_channels


@dataclass(frozen=True)
class TransformerShape:
    """Arguments of diffusers' CosmosTransformer3DModel."""

    heads: int
    head_dim: int
    layers: int
    adaln_dim: int
    text_dim: int
    mlp_ratio: float = 4.0
    patch: tuple[int, int, int] = (1, 2, 2)
    scratch: bool = False
    """Around it: :class:`training.world_model.scratch.ScratchTransformer`."""
    max_size: tuple[int, int, int] = (128, 240, 240)


@dataclass(frozen=True)
class Preset:
    """Everything that differs between sizes. Shapes are None where they come from a Cosmos-Predict2 folder."""

    name: str
    layout: ViewLayout
    frames: int
    """Frames T = 1 + 4 N of a window."""
    text: Literal["minilm", "t5"]
    text_tokens: int
    steps: int
    """Denoising steps of a generation."""
    guidance: float
    """Weight of (with prompt - without prompt) added to the prediction, as in Cosmos2VideoToWorldPipeline; 0: none."""
    relative: bool = False
    """Predict the latents after the first one as differences to it: what stands still need not be learnt.

    AutoencoderKLCosmos gives every latent of a video that stands still the same value, so these are zero there. A small
    model trained for minutes would spend them on learning to copy. Cosmos-Predict2 predicts the latents themselves.
    """
    vae: VaeShape | None = None
    transformer: TransformerShape | None = None

    @property
    def chunks(self) -> int:
        """Latents after the first one, N."""
        return (self.frames - 1) // CHUNK


NANO = Preset(
    name="nano",
    layout=ViewLayout("scene|wrist", 64, 64),
    frames=49,
    text="minilm",
    text_tokens=32,
    steps=12,
    guidance=0.0,
    relative=True,
    vae=VaeShape(),
    transformer=TransformerShape(heads=6, head_dim=32, layers=6, adaln_dim=64, text_dim=384, scratch=True),
)
"""Two 64 px views side by side, 12 chunks: latents [16, 13, 8, 16]."""

TINY = Preset(
    name="tiny",
    layout=ViewLayout("scene|wrist", 32, 32),
    frames=9,
    text="minilm",
    text_tokens=16,
    steps=4,
    guidance=0.0,
    relative=True,
    vae=VaeShape((8, 8, 16), (8, 8, 16)),
    transformer=TransformerShape(heads=2, head_dim=16, layers=2, adaln_dim=8, text_dim=384),
)
"""For tests: two 32 px views, 2 chunks, latents [16, 3, 4, 8]. It learns nothing worth looking at."""

COSMOS_PREDICT2_2B = Preset(
    name="cosmos-predict2-2b",
    layout=ViewLayout("scene|wrist", 480, 416),
    frames=93,
    text="t5",
    text_tokens=512,
    steps=35,
    guidance=7.0,
)
"""480x832, 93 frames, latents [16, 24, 60, 104]: the paper's size; VAE, transformer and text encoder from --cosmos.

A robot with the paper's four views uses ``--layout "left|right/wrist|-" --cell-height 240 --cell-width 416``.
"""

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (NANO, TINY, COSMOS_PREDICT2_2B)}
PresetName = Literal["nano", "tiny", "cosmos-predict2-2b"]


@dataclass(frozen=True)
class RunConfig:
    """What every training run of this package has."""

    minutes: float = 15.0
    """Training time after which the schedule ends; ignored when ``steps`` is set."""
    steps: int = 0
    batch: int = 4
    """Clips per step, over all processes together."""
    learning_rate: float = 1e-3
    final_learning_rate: float = 2e-5
    warmup_steps: int = 50
    cosine_tail: float = 0.6
    """Share of the schedule, at its end, in which the learning rate falls."""
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.998
    seed: int = 0
    threads: int = 2
    bf16: bool = True
    """Autocast to bfloat16; weights, moments and losses stay float32. A processor without it uses float32 for all."""
    log_every: int = 20
    checkpoint_minutes: float = 3.0
    holdout_every: int = 10
    """Episodes whose seed leaves the remainder ``holdout_every - 1`` are never trained on (0: train on all)."""
    parallel: Literal["ddp", "fsdp2"] = "ddp"
    """How several processes started by torchrun share the work."""


VaeKind = Literal["preset", "linear", "convolutional"]
CONVOLUTIONAL = VaeShape((32, 48, 64), (48, 64, 96))
"""1.6 M parameters; ten minutes on one core are 1,500 steps of four 17-frame clips."""


@dataclass(frozen=True)
class VaeTrainConfig(RunConfig):
    """Make the causal video VAE from packed frames. Run again with the same --out to continue.

    The nano preset's is linear and fitted in a minute; a convolutional one is trained. The 2B preset has no such step:
    its VAE comes with Cosmos-Predict2.
    """

    dataset: Path = Path("data/tabletop")
    out: Path = Path("runs/world-model-vae")
    preset: PresetName = "nano"
    layout: str = ""
    """Where the cameras go, as "left|right/wrist|-" (default: the preset's)."""
    cell_height: int = 0
    cell_width: int = 0
    """Pixels of one view in the packed frame (0: the preset's)."""
    kind: VaeKind = "preset"
    """linear: principal components, nothing else here is used but --frames and the last four. convolutional: diffusers'
    AutoencoderKLCosmos from scratch. preset: what the preset says."""
    frames: int = 17
    """Frames per training clip, 1 + 4 n: shorter than a window, which is no harm as the VAE is causal."""
    fit_clips: int = 192
    """Clips that a linear VAE is fitted to."""
    latent_noise: float = 0.1
    """Noise added to the code in training, so that near codes decode to near pictures."""
    latent_penalty: float = 1e-3
    """Weight of the mean squared code: this VAE has no KL term, and the noise alone would blow its scale up."""
    linear_steps: int = 150
    """Steps at the beginning in which the encoder imitates a linear code and the decoder learns to decode that one:
    either learns nothing while the other ignores the code."""
    motion_weight: float = 2.0
    """Extra weight of pixels that differ from the clip's first frame: the arm and what it carries are small."""
    fine_weight: float = 0.25
    """Weight of what sets a pixel's brightness apart from its area's (4 x 4): mostly speckles of the table."""
    colour_weight: float = 4.0
    """Weight of colour: the things on a grey table are small and coloured."""
    within_weight: float = 2.0
    """Weight of changes within a latent's four frames, which show what the arm does (linear VAE)."""


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank fine-tuning by peft; rank 0 trains every weight."""

    rank: int = 0
    alpha: int = 16
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")


@dataclass(frozen=True)
class NoiseConfig:
    """How noise levels are drawn in training (as Cosmos-Predict2: log-normal, larger for longer videos)."""

    log_mean: float = 0.0
    log_std: float = 1.4
    """Cosmos-Predict2 has 1.0; a model from scratch also needs the low levels, where details are decided."""
    high_share: float = 0.05
    """Share of draws that are log-uniform between ``high_from`` and the largest level instead."""
    high_from: float = 20.0
    scale_with_length: bool = True
    """Multiply by the square root of the number of latents: neighbouring frames tell what one of them hides."""


@dataclass(frozen=True)
class WorldModelTrainConfig(RunConfig):
    """Train the video transformer on cached latents. Run again with the same --out to continue.

    Nano (5.1 M parameters) on two CPU cores, estimated from a short timing of forward and backward (4.8 clips/s on one
    core in bf16): 25 minutes are about 14,000 clips, 1,750 steps of eight. Several processes:
    ``torchrun --nproc-per-node 2 -m training world-model ...``.
    """

    latents: Path = Path("data/tabletop/latents-nano")
    vae: Path = Path("runs/world-model-vae")
    """Run of ``world-model-vae`` that the latents were made with; the 2B preset takes the VAE in --cosmos."""
    out: Path = Path("runs/world-model-base")
    preset: PresetName = "nano"
    cosmos: Path | None = None
    """Local Cosmos-Predict2 folder (``model_index.json`` inside); needed by the 2B preset."""
    minutes: float = 25.0
    batch: int = 8
    hold_weight: float = 0.1
    """Weight of latents past a clip's end, which show its last frame held still; 0 leaves them out of the loss.

    Skill clips are shorter than a window, and the next skill starts from the picture that this one ends with: a little
    weight keeps that ending defined.
    """
    prompt_dropout: float = 0.1
    """Share of clips trained with an empty prompt, for guidance."""
    gradient_checkpointing: bool = False
    lora: LoraConfig = field(default_factory=LoraConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
