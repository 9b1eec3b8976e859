"""The 2B path: the same steps on a folder laid out like Cosmos-Predict2, with the real classes at toy size."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from training.common.checkpoint import read_info, read_tensors
from training.common.errors import CheckpointError
from training.tests.synthetic import synthetic_dataset
from training.world_model.config import COSMOS_PREDICT2_2B, PRESETS, LoraConfig, WorldModelTrainConfig
from training.world_model.latents import LatentsConfig, build_latents
from training.world_model.model import load_cosmos_transformer, load_world_model
from training.world_model.text import T5Tokens
from training.world_model.train import train_world_model
from training.world_model.views import ViewLayout

NAME = COSMOS_PREDICT2_2B.name


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """The preset with pictures and windows of a size that a test can afford."""
    small = dataclasses.replace(
        COSMOS_PREDICT2_2B, layout=ViewLayout("scene|wrist", 32, 32), frames=9, text_tokens=8, steps=3, guidance=2.0
    )
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, NAME, small)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VAE, transformer, text encoder and tokenizer of the published folder's classes and settings, but tiny."""
    from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    folder = tmp_path_factory.mktemp("cosmos")
    torch.manual_seed(0)
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    vae.save_pretrained(folder / "vae")
    transformer = CosmosTransformer3DModel(
        in_channels=17, out_channels=16, num_attention_heads=2, attention_head_dim=16, num_layers=2, text_embed_dim=32,
        adaln_lora_dim=8, rope_scale=(1.0, 3.0, 3.0), concat_padding_mask=True, extra_pos_embed_type=None,
    )  # fmt: skip
    transformer.save_pretrained(folder / "transformer")
    settings = T5Config(vocab_size=16, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    T5EncoderModel(settings).save_pretrained(folder / "text_encoder")
    words = {word: i for i, word in enumerate(["<pad>", "<unk>", "grab", "the", "red", "green", "blue", "cube"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>")
    fast.save_pretrained(folder / "tokenizer")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "Cosmos2VideoToWorldPipeline"}))
    return folder


@pytest.fixture(scope="module")
def latents(cosmos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cosmos-data")
    dataset = synthetic_dataset(root / "data", episodes=2, length=14)
    config = LatentsConfig(
        dataset=dataset, vae=cosmos, out=root / "latents", preset=NAME, stride=4, minimum=5, threads=1
    )  # type: ignore[arg-type]
    return build_latents(config)


def _config(latents: Path, cosmos: Path, out: Path, steps: int, **changes: Any) -> WorldModelTrainConfig:
    config = WorldModelTrainConfig(
        latents=latents, out=out, preset=NAME, cosmos=cosmos, steps=steps, batch=2, threads=1, bf16=False, log_every=1,
        warmup_steps=1, holdout_every=0, learning_rate=1e-2, ema=0.5,
    )  # type: ignore[arg-type]  # fmt: skip
    return dataclasses.replace(config, **changes)


def test_the_folder_generates_as_it_is(cosmos: Path) -> None:
    model = load_world_model(cosmos)
    first = torch.randint(0, 256, (1, 32, 64, 3), dtype=torch.uint8)
    made = [model.generate(first, ["grab the red cube"], generator=torch.Generator().manual_seed(0)) for _ in range(2)]
    assert made[0].shape == (1, 16, 3, 4, 8) and torch.equal(made[0], made[1])
    assert model.decode(made[0]).shape == (1, 9, 32, 64, 3)


def test_text_is_zero_past_the_sentence(cosmos: Path) -> None:
    embedded = T5Tokens(cosmos, 8).embed(["grab the red cube", "grab"])
    assert embedded.shape == (2, 8, 32)
    assert embedded[0, :4].abs().sum(dim=-1).min() > 0 and not embedded[0, 4:].any() and not embedded[1, 1:].any()


def test_lora_trains_beside_frozen_weights(cosmos: Path, latents: Path, tmp_path: Path) -> None:
    original = dict(load_cosmos_transformer(cosmos).state_dict())
    config = _config(latents, cosmos, tmp_path / "whole", 3, lora=LoraConfig(rank=2))
    folder = train_world_model(config)
    names = read_tensors(folder, "model").keys()
    assert names and all("lora_" in name for name in names) and not (folder / "vae.safetensors").exists()
    assert read_info(folder)["vae"]["cosmos"] == str(cosmos)
    tuned = dict(load_world_model(folder).transformer.state_dict())
    kept = {name.replace(".base_layer", ""): value for name, value in tuned.items() if "lora_" not in name}
    assert kept.keys() == original.keys() and all(torch.equal(kept[name], original[name]) for name in original)
    assert any(value.abs().max() > 0 for name, value in tuned.items() if "lora_B" in name)
    half = dataclasses.replace(config, out=tmp_path / "halves", steps=2)
    train_world_model(half)  # its schedule ends early, but it must be continued from
    assert train_world_model(dataclasses.replace(half, steps=3)).name == "step-00000003"


def test_full_fine_tuning_starts_from_the_folder(cosmos: Path, latents: Path, tmp_path: Path) -> None:
    original = dict(load_cosmos_transformer(cosmos).named_parameters())
    folder = train_world_model(_config(latents, cosmos, tmp_path, 1, learning_rate=1e-6, gradient_checkpointing=True))
    trained = read_tensors(folder, "model")
    assert trained.keys() == original.keys()
    assert max(float((trained[name] - original[name].detach()).abs().max()) for name in original) < 1e-4
    assert load_world_model(folder).generate(
        torch.zeros(1, 32, 64, 3, dtype=torch.uint8), ["grab"], 2, chunks=1
    ).shape == (1, 16, 2, 4, 8)


def test_a_folder_for_something_else_is_refused(cosmos: Path, tmp_path: Path) -> None:
    from diffusers import CosmosTransformer3DModel

    with pytest.raises(CheckpointError, match=r"model_index\.json"):
        load_cosmos_transformer(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    CosmosTransformer3DModel(
        in_channels=16, out_channels=16, num_attention_heads=1, attention_head_dim=16, num_layers=1, text_embed_dim=8,
        adaln_lora_dim=4, extra_pos_embed_type=None,
    ).save_pretrained(tmp_path / "transformer")  # fmt: skip
    with pytest.raises(CheckpointError, match="condition mask"):
        load_cosmos_transformer(tmp_path)
