"""Steps before post-training: demonstrations, the base policy, world models, adapters, what is imagined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from training.post_training.initial_states import StartsConfig
from training.recipes.pipeline.step import Step
from training.recipes.world2act.places import Places
from training.recipes.world2act.sizes import Sizes
from training.skills.config import SkillsConfig


def policy_steps(sizes: Sizes, places: Places) -> Iterator[Step]:
    """Demonstrations and the base policy."""
    yield from _data(sizes, places)
    yield from _policy(sizes, places)


def imagination_steps(sizes: Sizes, places: Places) -> Iterator[Step]:
    """World models, adapters, and what is imagined."""
    yield from _world_models(sizes, places)
    yield from _adapters(sizes, places)
    yield from _imagined(sizes, places)
    told = replace(
        sizes.imagination,
        world_model=places.world_model("skill"),
        adapters=places.root / "align",
        dataset=places.skill_dataset,
        base=places.policy,
        text_encoder=places.text_encoder,
        out=places.imagination,
    )
    needs = ("world-model-skill", "align", "base-policy")
    yield Step("measure-imagination", "measure-imagination", told, (told.out,), needs=needs, overwrites=True)


def _data(sizes: Sizes, places: Places) -> Iterator[Step]:
    dataset = places.dataset
    yield Step("demonstrations", "collect", replace(sizes.collect, out=dataset), (dataset,), extends=("episodes",))
    cache = replace(sizes.cache, dataset=dataset)
    yield Step("frames", "cache", cache, (places.cache,), needs=("demonstrations",), overwrites=True)
    skills = SkillsConfig(dataset=dataset, out=places.skill_dataset)
    yield Step("skill-clips", "skills", skills, (places.skill_dataset,), needs=("demonstrations",))


def _policy(sizes: Sizes, places: Places) -> Iterator[Step]:
    policy = replace(sizes.policy, cache=places.cache, out=places.policy, text_encoder=places.text_encoder)
    yield Step("base-policy", "vla", policy, (places.policy,), needs=("frames",))
    bundle = places.bundle("base")
    export = replace(
        sizes.export, checkpoint=places.policy, out=bundle, name="world2act-base", text_encoder=places.text_encoder
    )
    yield Step("base-bundle", "export", export, (bundle,), needs=("base-policy",), overwrites=True)


def _world_models(sizes: Sizes, places: Places) -> Iterator[Step]:
    vae = replace(sizes.vae, dataset=places.dataset, out=places.vae)
    yield Step("vae", "world-model-vae", vae, (places.vae,), needs=("demonstrations",))
    sources: tuple[tuple[str, str, str], ...] = (("base", "whole", "demonstrations"), ("skill", "skill", "skill-clips"))
    for name, kind, source in sources:
        dataset = places.dataset if kind == "whole" else places.skill_dataset
        out = places.latents(kind)
        latents = replace(sizes.latents, dataset=dataset, vae=places.vae, out=out)
        yield Step(f"latents-{kind}", "world-model-latents", latents, (out,), needs=(source, "vae"))
        model = replace(sizes.world_model, latents=out, vae=places.vae, out=places.world_model(name))
        yield Step(f"world-model-{name}", "world-model", model, (model.out,), needs=(f"latents-{kind}",))
    compare = replace(
        sizes.compare,
        base=places.world_model("base"),
        skill=places.world_model("skill"),
        dataset=places.dataset,
        out=places.comparison,
    )
    models = ("world-model-base", "world-model-skill")
    yield Step(
        "compare-world-models", "world-model-evaluate", compare, (places.comparison,), needs=models, overwrites=True
    )


def _adapters(sizes: Sizes, places: Places) -> Iterator[Step]:
    """The main pair, aligned on what Skill-WM imagines of the demonstrations; the same on their recordings; on what
    Base-WM imagines of whole ones; and one per ablation of the contrast, which changes Stage 1 and Stage 2 alike."""
    for name, model, kind in (("imagine-clips", "skill", "skill"), ("imagine-clips-base", "base", "whole")):
        clips = replace(
            sizes.imagine_clips,
            latents=places.latents(kind),
            world_model=places.world_model(model),
            out=places.latents("imagined" if model == "skill" else "imagined-base"),
        )
        needs = (f"latents-{kind}", f"world-model-{model}")
        yield Step(name, "world-model-imagine", clips, (clips.out,), needs=needs)
    usual, imagined = sizes.align.objective, replace(sizes.align, schedule=sizes.align_imagined)
    one_direction, as_a_whole = replace(usual, direction="video-to-action"), replace(usual, granularity="global")
    # Name -> latents, the step that makes them, the dataset they show, and how to align on them.
    kinds = {
        "align": ("imagined", "imagine-clips", places.skill_dataset, imagined),
        "align-recorded": ("skill", "latents-skill", places.skill_dataset, sizes.align),
        "align-base": ("imagined-base", "imagine-clips-base", places.dataset, imagined),
        "align-one-direction": (
            "imagined", "imagine-clips", places.skill_dataset, replace(imagined, objective=one_direction)
        ),
        "align-global": ("imagined", "imagine-clips", places.skill_dataset, replace(imagined, objective=as_a_whole)),
    }  # fmt: skip
    for name, (latents, maker, dataset, config) in kinds.items():
        config = replace(config, latents=places.latents(latents), dataset=dataset, out=places.root / name)
        yield Step(name, "align", config, (config.out,), needs=(maker,))


def _imagined(sizes: Sizes, places: Places) -> Iterator[Step]:
    skill, whole = sizes.imagine, replace(sizes.imagine, prompts="instruction", windows=sizes.whole_windows, preview=0)
    # The starts of the first group that policies are measured on, for the alignment score.
    composites = StartsConfig(kinds=("composite",), first_seed=sizes.evaluate.first_seed)
    measured = replace(sizes.imagine, starts=composites, count=sizes.evaluate.episodes, preview=0)
    kinds: dict[str, tuple[Literal["skill", "base"], object]] = {
        "skill": ("skill", skill),
        "base": ("base", whole),
        "evaluation": ("skill", measured),
    }
    for name, (model, config) in kinds.items():
        out = places.imagined(name)
        config = replace(config, world_model=places.world_model(model), out=out)  # type: ignore[type-var]
        needs = (f"world-model-{model}",)
        yield Step(f"imagine-{name}", "imagine", config, (out,), needs=needs, extends=("count", "preview"))
