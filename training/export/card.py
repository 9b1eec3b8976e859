"""card.md: what a bundle is, how it was made and how well it does, for a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.common.disk import write_text_atomically
from world2act_core.manifest import SplitMetric

CARD = "card.md"

COMMANDS = """The recipe (`python -m training recipe`) runs these steps:

```
python -m training collect --out data/tabletop
python -m training cache --dataset data/tabletop
python -m training vla --cache data/tabletop/cache-96 --out runs/{name}
python -m training export --checkpoint runs/{name} --out runs/{name}/bundle
python -m training collect --out data/tabletop --first-seed 300000 --episodes 1000 --kinds.pick 0.05 \\
    --kinds.place 0.2 --kinds.stack 0.3 --kinds.composite 0.45 --takeover.policy runs/{name}/bundle
python -m training cache --dataset data/tabletop
python -m training vla --cache data/tabletop/cache-96 --init runs/{name}/bundle --out runs/{name}-takeover \\
    --minutes 45 --learning-rate 4e-4
python -m training export --checkpoint runs/{name}-takeover --out models/{name}
python -m training evaluate --bundle models/{name} --splits all --update-bundle
```"""


def write_card(
    folder: Path, name: str, training: Mapping[str, Any], metrics: Mapping[str, Mapping[str, SplitMetric]]
) -> None:
    """Write ``card.md`` into a bundle's folder. Its checksum is in the manifest: write that afterwards."""
    rows = [f"| {key} | {value} |" for key, value in training.items() if key not in ("history", "residual")]
    history = [f"    {line}" for line in training.get("history", ())]
    lines = [
        f"# {name}",
        "",
        "A nano vision-language-action policy for the Tabletop world: two cameras, proprioception and the sentence",
        "embedding of one skill in, a chunk of eight end-effector actions and the probability that the skill is",
        "complete out. Cloned from a scripted expert in simulation; it has seen no real camera and no real arm.",
        "",
        "## Made by",
        "",
        COMMANDS.format(name=name),
        "",
        *(["These weights came from:", "", *history, ""] if history else []),
        "| training | |",
        "|---|---|",
        *rows,
        "",
        *_residual_lines(training.get("residual")),
        "## Measured",
        "",
        *_metric_lines(metrics),
        "",
    ]
    write_text_atomically(folder / CARD, "\n".join(lines))


def _residual_lines(residual: Mapping[str, Any] | None) -> list[str]:
    if residual is None:
        return []
    return [
        "## Residual",
        "",
        "A small head corrects the first steps of every chunk, post-trained without reward (World2Act, Stage 2) by",
        "`python -m training post-train` and added by `python -m training export-residual`. The node's parameter",
        "`residual` switches it off and on; off, the actions are the policy's own, bit for bit.",
        "",
        "| residual | |",
        "|---|---|",
        *[f"| {key} | {value} |" for key, value in residual.items()],
        "",
    ]


def _metric_lines(metrics: Mapping[str, Mapping[str, SplitMetric]]) -> list[str]:
    if not metrics:
        return ["Not measured yet."]
    lines = [
        "Success in simulation, in-process, fixed seeds, held-out wordings; 95 % Wilson interval in brackets.",
        "",
        "| skill | split | success | n |",
        "|---|---|---|---|",
    ]
    for skill, splits in metrics.items():
        for split, metric in splits.items():
            low, high = metric.interval
            rate = f"{100 * metric.success_rate:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
            lines.append(f"| {skill} | {split} | {rate} | {metric.n} |")
    return lines
