"""`world2act up`: start a graph and keep it running until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from world2act.arm_choice import chosen_arm
from world2act.cli.options import check_bundle, check_codes, check_domain, check_llm
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE, DEFAULT_LLM_BASE_URL, GraphOptions, build_graph
from world2act.security.joining import open_although_asked
from world2act.supervision.back_off import RestartLimits
from world2act.supervision.graph_watch import HANG_S, GraphWatch, OnDeath
from world2act.supervision.session import prepare_environment
from world2act.supervision.supervisor import Supervisor, domain_id, run_folder
from world2act_core.manifest import ResidualChoice
from world2act_interfaces.msg import NodeHealth


@dataclass(frozen=True)
class Up:
    """Start a graph and keep it running until Ctrl-C."""

    graph: tyro.conf.Positional[Literal["sim", "real"]]
    """sim: with the simulated table. real: the same nodes without it; the arm's driver must be running."""
    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle."""
    lockstep: bool = False
    """One control step at a time: reproducible, as fast as the machine allows."""
    realtime: bool = False
    """Steps follow the wall clock (the default)."""
    domain: int | None = None
    """ROS domain, 0 to 101. Default: ROS_DOMAIN_ID, or 0."""
    robot: str = ""
    """Robot profile of the arm: a name (robots/*.yaml) or the path of a YAML file. real: needed. sim: sim_panda, or
    robosuite's name of another arm, which then takes Cartesian targets; lockstep always does."""
    speed: float = 1.0
    """Share of the arm's speed that is allowed."""
    reduced: Literal["first", "always", "never"] = "first"
    """When the hand keeps to the profile's reduced speed (250 mm/s): the first run with a bundle, always or never."""
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "cpu"
    """What runs the network."""
    threads: int = 1
    """Threads of one inference."""
    on_death: Literal["auto", "restart", "stop"] = "auto"
    """When a node dies or hangs. restart: the arm holds, the node starts again, `world2act clear` lets things go on.
    stop: the graph ends. auto: restart in real time, stop in lockstep."""
    restarts: int = 5
    """A node that is lost more often than this within two minutes ends the graph."""
    seed: int = 0
    """Seed of the first episode."""
    profile: Path | None = None
    """Folder that gets every measured latency when the graph ends."""
    residual: ResidualChoice = "auto"
    """Whether the bundle's residual corrects the policy at first; auto: as the bundle says. `world2act set` switches it
    while it runs."""
    imagined_codes: Path | None = None
    """What a world model imagined, for the alignment score (default: the bundle's own)."""
    planner: Literal["grammar", "llm"] = "grammar"
    """What turns an instruction into skills: the built-in grammar, or a language model (which needs --llm-model)."""
    llm_base_url: str = DEFAULT_LLM_BASE_URL
    """Address of an OpenAI-compatible server, up to /v1."""
    llm_model: str = ""
    """Name of the language model as that server knows it."""
    llm_api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the server's key; empty: send none."""
    llm_timeout: float = 20.0
    """After so many seconds the grammar plans instead."""
    llm_cache: Path | None = None
    """Folder that keeps the model's answers, so that they repeat."""
    monitor: Literal["auto", "off", "warn", "retry"] = "auto"
    """When the bundle's monitor sees a skill going wrong: tell people (warn) or start it again and then stop (retry);
    auto: retry if the bundle has an enabled monitor, else off."""
    record: Path | None = None
    """Folder that every episode is recorded to (default: no recorder)."""

    def run(self) -> int:
        """Returns the exit status."""
        console = Console()
        if self.lockstep and self.realtime:
            console.print("Choose one of --lockstep and --realtime.")
            return 2
        if not 0.01 <= self.speed <= 1.0:
            raise GraphError(f"--speed {self.speed}: give a share from 0.01 to 1")
        if self.restarts < 0:
            raise GraphError(f"--restarts {self.restarts}: give 0 (never) or more")
        prepare_environment(check_domain(self.domain))
        options = GraphOptions(
            bundle=check_bundle(self.bundle), lockstep=self.lockstep, provider=self.provider,
            **chosen_arm(self.graph, self.robot), speed=self.speed, reduced=self.reduced,
            threads=self.threads, seed=self.seed, profile_path=str(self.profile.absolute()) if self.profile else "",
            planner=self.planner, llm_base_url=self.llm_base_url, llm_model=self.llm_model,
            llm_api_key_variable=self.llm_api_key_variable, llm_timeout=self.llm_timeout,
            llm_cache=str(self.llm_cache.absolute()) if self.llm_cache else "", monitor=self.monitor,
            residual=self.residual, imagined_codes=check_codes(self.imagined_codes),
            record=str(self.record.absolute()) if self.record else "",
        )  # fmt: skip
        check_llm(options)
        if warning := open_although_asked():
            console.print(warning, style="yellow", highlight=False, markup=False)
        folder = run_folder()
        with Supervisor(build_graph(self.graph, options), folder) as supervisor:
            began = time.monotonic()
            supervisor.bring_up(lambda name, state: console.print(f"  {name:<15} {state}"))
            seconds = time.monotonic() - began
            console.print(f"Up on domain {domain_id()} after {seconds:.1f} s; logs in {supervisor.log_folder}")
            console.print('Now, in another terminal: world2act do "put the red cube in the bin"   (Ctrl-C ends)')
            self._watch(supervisor, console)
        return 0

    def _watch(self, supervisor: Supervisor, console: Console) -> None:
        """Keep the graph alive and show every change of a node's condition, until something ends it."""
        on_death: OnDeath = self.on_death if self.on_death != "auto" else ("stop" if self.lockstep else "restart")

        def tell(name: str, text: str) -> None:
            # The text may hold the words of a server or a driver: brackets in them are no markup.
            console.print(f"  {name:<15} {text}", markup=False, highlight=False)

        # In lockstep nothing is late: a world that is reset, or a debugger, may take any time.
        hang_s = 0.0 if self.lockstep else HANG_S
        watch = GraphWatch(supervisor, on_death, RestartLimits(restarts=self.restarts), hang_s, tell)
        shown: dict[str, tuple[str, str]] = {}
        while True:
            watch.tick()
            tell_changes(supervisor.bring_up_state.health, shown, tell)


def tell_changes(
    health: Mapping[str, NodeHealth], shown: dict[str, tuple[str, str]], tell: Callable[[str, str], None]
) -> None:
    """Say what has changed since `shown`, which is brought up to date: state and fault of each node."""
    for name, now in health.items():
        if shown.get(name, ("active", "")) != (now.state, now.fault):
            tell(name, f"{now.state}  {now.fault}  {now.message}".rstrip())
        shown[name] = (now.state, now.fault)
