"""A snapshot as plain lines: one fact each, for scripts, logs and people who cannot see colours."""

from __future__ import annotations

import math

from world2act.live.snapshot import NodeView, Snapshot


def plain_lines(snapshot: Snapshot) -> list[str]:
    """Every fact of the snapshot, most important first."""
    return [
        *(f"trouble: {line}" for line in snapshot.troubles),
        *(f"node: {node.name} {words}" for node in snapshot.nodes for words in node_words(node)),
        *(f"{name}: {words}" for name, words in facts(snapshot)),
    ]


def node_words(node: NodeView) -> list[str]:
    """How a node is, then its rates, latencies and counts."""
    state = "silent" if node.silent else node.state
    words = [f"{state} {node.level} reported {node.age_s:.1f} s ago"]
    words += [f"{name} {hz:.1f} Hz, {age_text(node.ages_s.get(name, math.inf))}" for name, hz in node.rates_hz.items()]
    words += [f"{stage} p50 {p50:.1f} ms, p99 {p99:.1f} ms" for stage, (p50, p99) in node.latencies_ms.items()]
    words += [f"{name} {count}" for name, count in node.counts.items()]
    return words


def facts(snapshot: Snapshot) -> list[tuple[str, str]]:
    """(name, words) of everything that is not a node: arm, task, policy, safety, recorder."""
    rows = []
    if (arm := snapshot.arm) is not None:
        words = f"holds: {arm.reason}" if arm.holding else "moves"
        limits = f", limited: {', '.join(arm.limits)}" if arm.limits else ""
        rows.append(("arm", f"{words}{limits} ({age_text(arm.age_s)})"))
    if (task := snapshot.task) is not None:
        skills = [f"[{text}]" if index == task.current else text for index, text in enumerate(task.skills)]
        attempt = f", attempt {task.attempt}" if task.attempt > 1 else ""
        words = f"{' > '.join(skills)}{attempt}" if task.current is not None else "no skill is active"
        rows += [("instruction", f"{task.instruction} ({task.planner})")] if task.instruction else []
        rows.append(("skill", words))
    if (chunk := snapshot.chunk) is not None:
        words = f"chunk {chunk.sequence} ({age_text(chunk.age_s)}), inference {chunk.inference_ms:.1f} ms"
        words += f", done {chunk.done:.0%}" + _named("alignment", chunk.alignment) + _named("residual", chunk.residual)
        rows.append(("policy", words))
    if (safety := snapshot.safety) is not None:
        speed = f"speed {safety.speed_scale:.0%}, at most {safety.max_eef_speed:.2f} m/s"
        words = f"{safety.mode}, {speed}{_named('clearance [m]', safety.clearance)} ({age_text(safety.age_s)})"
        rows.append(("safety", words))
        rows += [("flag", f"{flag.name} {flag.level} {flag.reaction} x{flag.count}") for flag in safety.raised]
    if (recorder := snapshot.recorder) is not None:
        words = f"{recorder.state}, episode {recorder.episode}, {recorder.finished} finished, "
        words += f"{recorder.messages} messages, {recorder.bytes / 1e6:.1f} MB, {recorder.dropped} dropped"
        rows.append(("recorder", f"{words} -> {recorder.folder}"))
    return rows


def age_text(seconds: float) -> str:
    """An age for people: "0.05 s ago", "never"."""
    return "never" if math.isinf(seconds) else f"{seconds:.2f} s ago"


def _named(name: str, value: float) -> str:
    return "" if math.isnan(value) else f", {name} {value:.3f}"
