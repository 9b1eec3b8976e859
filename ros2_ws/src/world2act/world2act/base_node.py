"""The base class of every World2Act node: lifecycle, parameters, diagnostics and a clean end."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from world2act import topics
from world2act.beats import Beats
from world2act.errors import ConfigurationError
from world2act.health import FAULT, OK, Condition, diagnostics_message, health_message, wall_time
from world2act.meters import Meters
from world2act.parameters import Parameter, ParameterValues
from world2act.sparing_node import Sparing
from world2act_core.files import atomic_write_text
from world2act_interfaces.msg import NodeHealth

COMMON_PARAMETERS = (
    Parameter(
        "lockstep",
        False,
        "True: one control step at a time, reproducible bit for bit, however slow the machine is. False: real time",
    ),
    Parameter(
        "profile_path", "", "Folder that gets <node>.json with every measured latency when the node ends; empty: none"
    ),
    Parameter(
        "heartbeat_period",
        0.05,
        "Time between two signs of life on heartbeat while the node is active; 0: none, as in lockstep",
        "s",
        0.0,
        10.0,
    ),
    Parameter("health_period", 1.0, "Time between two reports on /diagnostics and node_health", "s", 0.05, 60.0),
)


class ManagedNode(Sparing, LifecycleNode):
    """A lifecycle node whose subclasses fill in five hooks.

    setup()     on configure: load, allocate, subscribe. Raise ConfigurationError to refuse, with cause and remedy.
    start()     on activate: begin to work (publishers are enabled already). May raise ConfigurationError too.
    stop()      on deactivate, first: stop deciding anything.
    safe_command()  on deactivate, second, while publishers still work: send what leaves the robot safe.
    release()   on cleanup: free what setup() allocated (entities made by listen/every/publisher are freed for it).

    Nothing of this runs at the same time unless a subclass starts a thread. In a process of its own (see own_process),
    what `every` asks for runs in one thread and all else in another, each while it has the `turn`.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ()
    BEATS_ASIDE: ClassVar[bool] = True
    """False: `every` must call back in the executor's thread, for what belongs to a thread, as a renderer does."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.values = ParameterValues(self, (*COMMON_PARAMETERS, *self.PARAMETERS))
        self.lockstep = self.values.flag("lockstep")
        self.meters = Meters()
        self.condition = Condition()
        self.active = False
        self.failed = False
        self._state = "unconfigured"
        self._owned: list[Callable[[], object]] = []
        # Reports must go out in every state, and by real time, so neither is a managed entity.
        self._health = self.create_publisher(NodeHealth, topics.NODE_HEALTH, topics.reliable())
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, topics.reliable())
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.turn = threading.RLock()
        self._beats: Beats | None = None
        self._always: list[tuple[float, Callable[[], None]]] = [(self.values.number("health_period"), self.report)]
        beat_s = 0.0 if self.lockstep else self.values.number("heartbeat_period")
        if beat_s > 0.0:
            self._alive_publisher = self.create_publisher(Header, topics.HEARTBEAT, topics.heartbeat())
            self._always.append((beat_s, self._say_alive))
        self._timers = [self.create_timer(period_s, call, clock=self._steady) for period_s, call in self._always]

    def setup(self) -> None:
        """Hook: allocate and subscribe."""

    def start(self) -> None:
        """Hook: begin to work."""

    def stop(self) -> None:
        """Hook: stop deciding."""

    def safe_command(self) -> None:
        """Hook: leave the robot safe, while publishers still work."""

    def release(self) -> None:
        """Hook: free what setup() allocated."""

    def refresh_condition(self) -> None:
        """Hook: called before each report, to find out about inputs that stopped."""

    def own_thread(self) -> None:
        """Hook: called first in every thread that runs callbacks, when the node has a process of its own."""

    def own_process(self) -> None:
        """Take the process: called before the executor spins, in its thread; to call back it must have the `turn`."""
        self.own_thread()
        if not self.BEATS_ASIDE:
            return
        while self._timers:
            self.destroy_timer(self._timers.pop())
        self._beats = Beats(self.turn, self.own_thread, self.fail)
        for period_s, call in self._always:
            self._beats.every(period_s, call)

    def leave_process(self) -> None:
        """End what own_process began; not while having the `turn`."""
        if self._beats is not None:
            self._beats.end()

    def publisher(self, message_type: type, topic: str, qos: QoSProfile) -> Any:
        """A publisher that is silent unless the node is active; destroyed on cleanup."""
        publisher = self.create_lifecycle_publisher(message_type, topic, qos)
        self._owned.append(lambda: self.destroy_lifecycle_publisher(publisher))
        return publisher

    def listen(
        self, message_type: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile, always: bool = False
    ) -> None:
        """Subscribe; `callback` is called only while the node is active, unless `always`."""

        def guarded(message: Any) -> None:
            if always or self.active:
                callback(message)

        subscription = self.create_subscription(message_type, topic, guarded, qos)
        self._owned.append(lambda: self.destroy_subscription(subscription))

    def poll(
        self, message_type: type, topic: str, callback: Callable[[Any, dict[str, Any]], None], qos: QoSProfile,
        **options: Any,
    ) -> Callable[[], None]:  # fmt: skip
        """Subscribe without being woken, see Sparing.poll; called back in any state, and ended on cleanup."""
        end = super().poll(message_type, topic, callback, qos, **options)
        self._owned.append(end)
        return end

    def every(self, period_s: float, callback: Callable[[], None]) -> Any:
        """Call back every `period_s` seconds of real time while the node is active.

        Returns what has `reset()`: a whole period from now.
        """

        def guarded() -> None:
            if self.active:
                callback()

        if (beats := self._beats) is not None:
            beat = beats.every(period_s, guarded)
            self._owned.append(lambda: beats.remove(beat))
            return beat
        timer = self.create_timer(period_s, guarded, clock=self._steady)
        self._owned.append(lambda: self.destroy_timer(timer))
        return timer

    def own(self, destroy: Callable[[], object]) -> None:
        """Call `destroy` on cleanup; for services and action servers."""
        self._owned.append(destroy)

    def set_condition(self, condition: Condition) -> None:
        """Change what the node says about itself; a change is logged and reported at once."""
        if condition == self.condition:
            return
        worse = condition.level > OK and condition.name != self.condition.name
        self.condition = condition
        text = f"{condition.name}: {condition.message}"
        # Two lines and not one with a choice: rclpy refuses two severities from one place in the source.
        if worse and condition.level == FAULT:
            self.get_logger().error(text)
        elif worse:
            self.get_logger().warning(text)
        self._send_report()

    def clear_condition(self, *names: str) -> None:
        """Back to OK, if the present condition is one of `names` (any, when none is given)."""
        if self.condition.level != OK and (not names or self.condition.name in names):
            self.get_logger().info(f"{self.condition.name} is over")
            self.set_condition(Condition())

    def fail(self) -> None:
        """From a thread's exception handler: a bug was found, the process must hold the arm and end."""
        self.get_logger().fatal(f"this is a bug in {self.get_name()}:\n{traceback.format_exc()}")
        self.set_condition(Condition(FAULT, "INTERNAL", f"a bug ended {self.get_name()}; its log has the traceback"))
        self.failed = True

    def report(self) -> None:
        """Send the heartbeat and the diagnostics now."""
        self.look_for_qos_events()
        if self.active:
            self.refresh_condition()
        self._send_report()

    def _say_alive(self) -> None:
        # Called back as all else is, one at a time: a node that is stuck in a callback must fall silent.
        if self.active:
            self._alive_publisher.publish(Header(stamp=wall_time(), frame_id=self.get_name()))

    def _send_report(self) -> None:
        name = self.get_fully_qualified_name()
        self._health.publish(health_message(name, self._state, self.condition))
        self._diagnostics.publish(diagnostics_message(name, self._state, self.condition, self.meters.summary()))

    def _enter(self, state: str) -> None:
        self._state = state
        self._send_report()

    def _refuse(self, doing: str, error: ConfigurationError) -> TransitionCallbackReturn:
        self.get_logger().error(f"cannot {doing}: {error}")
        self.condition = Condition(FAULT, "CONFIGURATION", str(error))
        self._send_report()
        return TransitionCallbackReturn.FAILURE

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run setup(); a refusal leaves the node unconfigured, with the cause in the log and on node_health."""
        began = time.monotonic()
        self.condition = Condition()
        try:
            self.setup()
        except ConfigurationError as error:
            self._free()
            return self._refuse("configure", error)
        except Exception:
            self.get_logger().error(f"configure failed, this is a bug:\n{traceback.format_exc()}")
            self._free()
            return TransitionCallbackReturn.ERROR
        self.get_logger().info(f"configured in {time.monotonic() - began:.2f} s")
        self._enter("inactive")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable publishers, then start()."""
        super().on_activate(state)
        self.active = True
        try:
            self.start()
        except ConfigurationError as error:
            self.active = False
            super().on_deactivate(state)
            return self._refuse("activate", error)
        self._enter("active")
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """stop(), safe_command(), then disable publishers: in this order, so that the last word is the safe one."""
        self.stop()
        self.safe_command()
        self.active = False
        super().on_deactivate(state)
        self._enter("inactive")
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything that setup() made."""
        self._free()
        self._enter("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From any state: the same order as deactivate and cleanup."""
        if self.active:
            self.on_deactivate(state)
        self._free()
        self._write_profile()
        self._enter("finalized")
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a bug in a transition: free everything, so that the node can be configured again."""
        self.active = False
        self._free()
        self._enter("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    def _write_profile(self) -> None:
        folder = self.values.text("profile_path")
        if not folder:
            return
        profile = {"node": self.get_name(), "lockstep": self.lockstep, "latencies_s": self.meters.latencies()}
        try:
            atomic_write_text(Path(folder) / f"{self.get_name()}.json", json.dumps(profile))
        except OSError as error:
            self.get_logger().error(str(error))

    def _free(self) -> None:
        self.release()
        while self._owned:
            self._owned.pop()()
