"""What `world2act doctor` checks. Each check looks at one thing, never raises, and knows the remedy."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from world2act.errors import ConfigurationError
from world2act.graph import NODE_NAMES, fastdds_profile
from world2act.security.joining import open_although_asked

Level = Literal["ok", "warning", "missing"]
MINIMUM_SHARED_MEMORY = 256 * 2**20
LLM_PATIENCE_S = 5.0
DDS_PORT_BASE, DDS_PORTS_PER_DOMAIN = 7400, 250


@dataclass(frozen=True)
class Check:
    """Result of one check; `remedy` is empty when there is nothing to do."""

    name: str
    level: Level
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class LanguageModel:
    """The language model that is to plan, as the options of `doctor` name it."""

    base_url: str
    model: str
    api_key_variable: str


def all_checks(bundle: Path, language_model: LanguageModel | None = None) -> Iterator[Check]:
    """Every check, one after the other."""
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("python", check_python),
        ("rclpy", check_rclpy),
        ("interfaces", check_interfaces),
        ("rendering", check_rendering),
        ("bundle", lambda: check_bundle(bundle)),
        ("engine", check_engine),
        ("shared memory", check_shared_memory),
        ("domain", check_domain),
        ("security", check_security),
        ("ports", check_ports),
        ("video", check_video),
        ("language model", lambda: check_language_model(language_model)),
    )
    for name, check in checks:
        try:
            yield check()
        except ConfigurationError as error:
            yield Check(name, "missing", error.cause, error.remedy)
        except Exception as error:  # a broken installation breaks in any way; the doctor must go on
            remedy = "run `make setup`; if that does not help, this is a bug"
            yield Check(name, "missing", f"{type(error).__name__}: {error}".splitlines()[0], remedy)


def check_python() -> Check:
    """Python 3.11 is what everything is tested with."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == (3, 11):
        return Check("python", "ok", version)
    if sys.version_info[:2] == (3, 12):
        return Check("python", "warning", version, "3.11 is the tested version")
    return Check("python", "missing", version, "use Python 3.11: rclpy's wheels are made for it")


def check_rclpy() -> Check:
    """The ROS client library and its middleware."""
    try:
        rclpy = importlib.import_module("rclpy")
    except ImportError as error:
        return Check("rclpy", "missing", str(error), "run `make setup`, or source your ROS 2 installation")
    return Check(
        "rclpy", "ok", f"{rclpy.utilities.get_rmw_implementation_identifier()}, {Path(str(rclpy.__file__)).parent}"
    )


def check_interfaces() -> Check:
    """Our messages, built and up to date."""
    try:
        action = importlib.import_module("world2act_interfaces.action")
    except ImportError as error:
        return Check("interfaces", "missing", str(error), "run `make setup`, or colcon build in ros2_ws and source it")
    if not hasattr(action.ExecuteInstruction.Feedback(), "retries"):
        return Check("interfaces", "missing", "built from an older version", "build them again: `make setup`")
    return Check("interfaces", "ok", "world2act_interfaces")


def check_rendering() -> Check:
    """MuJoCo draws a picture, in a process of its own because a broken driver crashes it."""
    code = (
        "import mujoco\nx = '<mujoco><worldbody><light/><geom size=\"1\"/></worldbody></mujoco>'\n"
        "m = mujoco.MjModel.from_xml_string(x)\n"
        "d = mujoco.MjData(m); mujoco.mj_forward(m, d); r = mujoco.Renderer(m, 32, 32); r.update_scene(d); "
        "assert r.render().any()"
    )
    backend = os.environ.get("MUJOCO_GL", "egl")
    environment = {**os.environ, "MUJOCO_GL": backend}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return Check("rendering", "ok", f"MUJOCO_GL={backend}")
    reason = (done.stderr.strip().splitlines() or ["it crashed"])[-1]
    remedy = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri libgl1, or set MUJOCO_GL=osmesa with libosmesa6"
    return Check("rendering", "missing", reason[:120], remedy)


def check_bundle(bundle: Path) -> Check:
    """Every file of the bundle has the hash its manifest gives."""
    from world2act_core.bundle import BundleError, load_bundle

    try:
        loaded = load_bundle(bundle)
    except (BundleError, ValueError, OSError) as error:
        remedy = "give --bundle the folder of one; models/tabletop-nano is in the repository's root"
        return Check("bundle", "missing", str(error), remedy)
    return Check("bundle", "ok", f"{loaded.manifest.name}, {loaded.sha256[:12]}, robot {loaded.contract.robot}")


def check_engine() -> Check:
    """What can run the network here."""
    from world2act_core.engine import available_providers

    version = importlib.metadata.version("onnxruntime")
    return Check("engine", "ok", f"onnxruntime {version}: {', '.join(available_providers())}")


def check_shared_memory() -> Check:
    """Room for images between processes, and nothing left of dead ones."""
    from world2act.supervision.shared_memory import SHARED_MEMORY, free_bytes, segments

    if not SHARED_MEMORY.is_dir():
        return Check("shared memory", "warning", "none on this system", "large images travel by UDP and may be lost")
    free = free_bytes()
    found = f"{free / 2**20:.0f} MiB free, {len(segments())} Fast DDS files, profile {fastdds_profile().name}"
    if free < MINIMUM_SHARED_MEMORY:
        return Check("shared memory", "warning", found, "give it 256 MiB or more (docker: --shm-size=1g)")
    return Check("shared memory", "ok", found)


def check_domain() -> Check:
    """Who else is on our ROS domain."""
    from world2act.supervision.session import Session, graph_nodes
    from world2act.supervision.supervisor import domain_id

    with Session("world2act_doctor") as session:
        others = graph_nodes(session, frozenset(NODE_NAMES), 1.0)
    if others:
        return Check("domain", "ok", f"{domain_id()}: a graph is running ({', '.join(others)})")
    return Check("domain", "ok", f"{domain_id()}: free")


def check_security() -> Check:
    """Whether a lock that somebody asked for is closed."""
    if warning := open_although_asked():
        return Check("security", "warning", warning, "ROS_SECURITY_ENABLE=true and ROS_SECURITY_STRATEGY=Enforce")
    closed = os.environ.get("ROS_SECURITY_ENABLE") == "true"
    return Check("security", "ok", "enforced" if closed else "off: whoever reaches this domain can move the arm")


def check_ports() -> Check:
    """The domain's first discovery port can be opened."""
    from world2act.supervision.supervisor import domain_id

    port = DDS_PORT_BASE + DDS_PORTS_PER_DOMAIN * domain_id()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Check("ports", "warning", f"UDP {port}: {error}", "choose another domain with --domain")
    return Check("ports", "ok", f"UDP {port} and up")


def check_video() -> Check:
    """What the demo's video and figure need."""
    missing = [name for name in ("av", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        return Check("video", "warning", f"no {', '.join(missing)}", "pip install world2act[demo]; the demo needs it")
    return Check("video", "ok", "av, matplotlib")


def check_language_model(wanted: LanguageModel | None) -> Check:
    """Whether the model that is to plan is served where the options say. The grammar plans without it."""
    name = "language model"
    if wanted is None:
        return Check(name, "ok", "none configured: the grammar plans; --llm-base-url and --llm-model check one")
    from world2act_core.llm import LlmEndpoint, LlmError
    from world2act_core.llm_exchange import served_models

    remedy = "start the server, or correct --llm-base-url; until then the grammar plans"
    try:
        endpoint = LlmEndpoint(wanted.base_url, wanted.model or "unnamed", wanted.api_key_variable, LLM_PATIENCE_S, 0)
        models = served_models(endpoint)
        key = f"key from {wanted.api_key_variable}" if endpoint.api_key(os.environ) else "no key sent"
    except (ValueError, LlmError) as error:
        return Check(name, "warning", str(error), remedy)
    found = f"{wanted.base_url}: {len(models)} models, {key}"
    if wanted.model in models:
        return Check(name, "ok", f"{wanted.model} at {found}")
    listed = ", ".join(models[:5]) or "none"
    missing = f"{found}; {wanted.model or 'no model'} is not among them"
    return Check(name, "warning", missing, f"give --llm-model one of: {listed}")
