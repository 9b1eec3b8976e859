"""recorder: every accepted instruction becomes an MCAP file; the last minute before a fault is saved too."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from action_msgs.msg import GoalStatusArray
from rcl_interfaces.srv import GetParameters
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.parameter import parameter_value_to_python
from rclpy.serialization import deserialize_message

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.bundle_access import BUNDLE_PARAMETER, read_contract
from world2act.conversions import ns_to_stamp
from world2act.errors import ConfigurationError
from world2act.health import DEGRADED, Condition
from world2act.parameters import Parameter
from world2act.recording.definitions import full_definition, type_name_of
from world2act.recording.events import EpisodeLog, FaultWatch, GoalWatch
from world2act.recording.headers import HeaderMaker
from world2act.recording.ring import LastWords, RingBuffer
from world2act.recording.sources import GOAL_STATUS, SAFETY_STATUS, Source, graph_sources, qos_text
from world2act.recording.thread import Limits, RecordingThread, save
from world2act.recording.tracker import RECORDER_STOPPED, Begin, End, EpisodeTracker, RefusedError
from world2act.runner import run_node
from world2act_core.files import StorageError
from world2act_core.recording.layout import POLICY, RecordingError, finished, unfinished
from world2act_core.recording.recover import StillWrittenError, recover
from world2act_core.recording.writer import Channel, Record
from world2act_interfaces.msg import NodeHealth, RecorderStatus, SafetyStatus, Skill, SkillPlan
from world2act_interfaces.srv import Record as RecordService

MIB = 1 << 20
DROPPED = "MESSAGES_DROPPED"
POLICY_PARAMETERS = ("lockstep", "provider", "threads", "residual", "residual_graph", "imagined_codes", "imagined_start")
"""Of vla_policy: what its chunks depend on besides the bundle."""


class Recorder(ManagedNode):
    """Takes messages as they travel, without decoding most of them, and hands them to a thread that writes."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        BUNDLE_PARAMETER,
        Parameter("folder", "runs/recordings", "Where recordings go; it is made if need be"),
        Parameter(
            "episodes",
            "automatic",
            "automatic: each accepted instruction is an episode; manual: only START and STOP of the service `record`",
            choices=("automatic", "manual"),
        ),
        Parameter("pictures", False, "Whether the cameras' own topics are recorded too; Observation is in any case"),
        Parameter("extra_topics", ("",), 'Further topics, as "name type" each: "/tf tf2_msgs/msg/TFMessage"'),
        Parameter("robot_profile", "", "Text of the robot's profile (YAML), kept in every recording"),
        Parameter("compression", "lz4", "Of the file's chunks", choices=("none", "lz4", "zstd")),
        Parameter("postroll", 1.0, "An episode goes on for this long after its last skill", "s", 0.0, 60.0),
        Parameter("max_episode", 600.0, "A longer episode is ended", "s", 1.0, 86400.0),
        Parameter("planner_timeout", 30.0, "Without word from the planner an episode ends", "s", 1.0, 3600.0),
        Parameter("flush_period", 1.0, "No more than this is lost when the process is killed", "s", 0.05, 60.0),
        Parameter("queue_size", 64, "Messages that wait for the disk; more are dropped and counted", "MiB", 1, 65536),
        Parameter(
            "min_free",
            512,
            "Nothing is begun with less free disk; what is under way ends, whole, at half of it",
            "MiB",
            0,
            2**31 - 1,
        ),
        Parameter(
            "buffer_seconds", 60.0, "So much is kept in memory and saved when a fault comes; 0: nothing", "s", 0.0, 3600.0
        ),
        Parameter("buffer_size", 256, "No more than this of it", "MiB", 1, 65536),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("recorder", **kwargs)
        self._thread: RecordingThread | None = None
        self._saver: ThreadPoolExecutor | None = None

    def setup(self) -> None:
        """Make the folder, finish what a crash has left in it, and subscribe."""
        bundle = self.values.text("bundle")
        self._folder = Path(self.values.text("folder")).absolute()
        self._headers = HeaderMaker.of_bundle(
            bundle, self.values.text("robot_profile"), self.get_namespace(), self.lockstep
        )
        self._recover()
        cameras = [camera.name for camera in read_contract(bundle).cameras] if self.values.flag("pictures") else []
        sources = graph_sources(cameras, self.lockstep, self.values.texts("extra_topics"))
        self._decoders = {
            topics.SKILL_PLAN: (SkillPlan, self._on_plan),
            topics.SKILL: (Skill, self._on_skill),
            GOAL_STATUS: (GoalStatusArray, self._on_goals),
            topics.NODE_HEALTH: (NodeHealth, self._on_health),
            SAFETY_STATUS: (SafetyStatus, self._on_safety),
        }
        self._words = LastWords()
        self._faults = FaultWatch()
        self._goals = GoalWatch()
        self._tracker = EpisodeTracker(
            self.values.text("episodes") == "automatic", self.values.number("postroll"),
            self.values.number("planner_timeout"), self.values.number("max_episode"),
        )  # fmt: skip
        self._status = self.publisher(RecorderStatus, topics.RECORDER_STATUS, topics.reliable())
        for source in sources:
            self._record(source)
        self._policy = self.create_client(GetParameters, "vla_policy/get_parameters")
        self.own(lambda: self.destroy_client(self._policy))
        service = self.create_service(RecordService, topics.RECORD, self._on_request)
        self.own(lambda: self.destroy_service(service))
        self.every(0.1, self._tick)
        self.every(1.0, self._send_status)

    def _recover(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / ".writable").touch()
            (self._folder / ".writable").unlink()
        except OSError as error:
            raise ConfigurationError(
                f"the folder {self._folder} cannot be written: {error}", "give parameter 'folder' another one"
            ) from error
        for part in unfinished(self._folder):
            try:
                found = recover(part)
                self.get_logger().info(f"recovered {found.path} with {found.messages} messages")
            except StillWrittenError:
                continue
            except (RecordingError, StorageError) as error:
                self.get_logger().warning(f"not recovered: {error}")

    def _record(self, source: Source) -> None:
        name = type_name_of(source.message_type)
        topic = self.resolve_topic_name(source.topic)
        channel = Channel(topic, name, full_definition(name), qos_text(source.qos))
        # Raw: what is written is what was sent, byte for byte, and costs no decoding.
        subscription = self.create_subscription(
            source.message_type,
            source.topic,
            lambda data, info: self._take(source, channel, data, info),
            source.qos,
            raw=True,
            event_callbacks=SubscriptionEventCallbacks(message_lost=self._on_lost),
        )
        self.own(lambda: self.destroy_subscription(subscription))

    def start(self) -> None:
        """Start the thread."""
        limits = Limits(
            self.values.integer("queue_size") * MIB, self.values.integer("min_free") * MIB,
            self.values.number("flush_period"),
        )  # fmt: skip
        compression: Any = self.values.text("compression")
        self._thread = RecordingThread(self._folder, compression, limits)
        self._saver = ThreadPoolExecutor(1, "saving")
        self._saving: Future[Path] | None = None
        self._ring = RingBuffer(self.values.number("buffer_seconds"), self.values.integer("buffer_size") * MIB)
        self._ring_log = EpisodeLog()
        self._log = EpisodeLog()
        self._save_at_s: float | None = None
        self._save_note = ""
        self._saved_s = -self.values.number("buffer_seconds")
        self._save_error = ""
        self._shown: tuple[int, str] | None = None

    def stop(self) -> None:
        """Finish the present episode, and a buffer that is being saved."""
        if self._save_at_s is not None:
            self._save_buffer(self._save_note)
        if self._tracker.recording:
            self._act([self._tracker.stop(True, RECORDER_STOPPED)])
        if self._thread is not None and not self._thread.close():
            self.get_logger().error("the disk is too slow to finish the present episode; its file can be recovered")
        if self._saver is not None:
            self._saver.shutdown(wait=True)
        self._send_status()
        self._thread = self._saver = None

    def _take(self, source: Source, channel: Channel, data: bytes, info: dict[str, Any]) -> None:
        now_ns = time.time_ns()
        record = Record(channel, data, now_ns, int(info.get("source_timestamp") or now_ns))
        # Before it is decoded: the word that begins an episode is among the first of its file then.
        self._words.push(record, source.keep)
        if self._thread is not None:
            if self.values.number("buffer_seconds") > 0:
                self._ring.push(record)
            if self._tracker.recording:
                self._thread.put(record)
        decoder = self._decoders.get(source.topic)
        if decoder is not None:
            message_type, callback = decoder
            callback(deserialize_message(data, message_type))

    def _on_lost(self, info: Any) -> None:
        if self._thread is not None and self._tracker.recording:
            self._thread.lost(int(info.total_count_change))

    def _on_plan(self, message: SkillPlan) -> None:
        self._tracker.plan(int(message.plan_id), message.instruction)
        if self._tracker.plan_id == message.plan_id and self._thread is not None:
            self._log.instruction = self._log.instruction or message.instruction

    def _on_skill(self, message: Skill) -> None:
        if self._thread is not None:
            self._act(self._tracker.skill(int(message.plan_id), bool(message.active), time.monotonic()))

    def _on_goals(self, message: GoalStatusArray) -> None:
        ended = self._goals.see(message)
        if self._thread is not None:
            self._log.goals(ended)

    def _on_health(self, message: NodeHealth) -> None:
        self._note_events(*self._faults.health(message))

    def _on_safety(self, message: SafetyStatus) -> None:
        self._note_events(*self._faults.safety(message))

    def _note_events(self, events: list[dict[str, Any]], fault: bool) -> None:
        if self._thread is None or not events:
            return
        self._log.add(events)
        self._ring_log.add(events)
        if fault and self._save_at_s is None and self.values.number("buffer_seconds") > 0:
            # A little later, so that what the fault led to is in it too; and a fault that comes and goes must not fill
            # the disk with files: the buffer reaches back to the last time it was saved anyway.
            soonest_s = self._saved_s + self.values.number("buffer_seconds")
            self._save_at_s = max(time.monotonic() + self.values.number("postroll"), soonest_s)
            self._save_note = f"{events[-1]['source']}: {events[-1]['name']}"

    def _act(self, actions: Sequence[Begin | End]) -> None:
        for action in actions:
            if isinstance(action, Begin):
                self._begin(action)
            else:
                self._end(action)

    def _begin(self, begin: Begin) -> None:
        assert self._thread is not None
        self._log = EpisodeLog(begin.instruction)
        header = self._headers.make("episode", begin.plan_id, begin.instruction, begin.note)
        self._thread.begin(header, self._words.records(), self._log)
        self._ask_policy()

    def _end(self, end: End) -> Future[Path]:
        assert self._thread is not None
        done = self._thread.end(end.reason, end.keep)
        done.add_done_callback(partial(self._tell_end, end))
        return done

    def _tell_end(self, end: End, done: Future[Path]) -> None:
        error = done.exception()
        if error is not None:
            self.get_logger().error(f"the episode was not finished: {error}")
        else:
            self.get_logger().info(f"{done.result()}: {end.reason}")

    def _ask_policy(self) -> None:
        """What vla_policy's chunks depend on besides the bundle goes into the recording too, when it answers."""
        if not self._policy.service_is_ready():
            return
        future = self._policy.call_async(GetParameters.Request(names=list(POLICY_PARAMETERS)))
        future.add_done_callback(self._on_policy)

    def _on_policy(self, future: Any) -> None:
        if self._thread is not None and future.result() is not None:
            values = zip(POLICY_PARAMETERS, future.result().values, strict=True)
            self._thread.note(POLICY, {name: json.dumps(parameter_value_to_python(value)) for name, value in values})

    def _on_request(self, request: Any, response: Any) -> Any:
        if self._thread is None:
            response.message = "recorder is not active: bring the graph up first"
            return response
        try:
            response.path = self._obey(request.command, request.note)
            response.ok = True
        except (RefusedError, StorageError) as error:
            response.message = str(error)
        except FutureTimeoutError:
            response.message = "the disk is slow: it is being written still; see recorder_status"
        return response

    def _obey(self, command: str, note: str) -> str:
        """Returns the path of what was finished; "" when nothing was."""
        if command == RecordService.Request.START:
            self._begin(self._tracker.start(note, time.monotonic()))
            return ""
        if command == RecordService.Request.STOP:
            return str(self._end(self._tracker.stop(True)).result(timeout=10.0))
        if command == RecordService.Request.DISCARD:
            self._end(self._tracker.stop(False)).result(timeout=10.0)
            return ""
        if command == RecordService.Request.SAVE_BUFFER:
            return str(self._save_buffer(note).result(timeout=30.0))
        raise RefusedError(f"unknown command {command!r}; there are: start, stop, discard, save_buffer")

    def _save_buffer(self, note: str) -> Future[Path]:
        if self._saver is None or self.values.number("buffer_seconds") == 0:
            raise RefusedError("there is no ring buffer: parameter buffer_seconds is 0")
        if self._saving is not None and not self._saving.done():
            raise RefusedError("the ring buffer is being saved already")
        if len(self._ring) == 0:
            raise RefusedError("the ring buffer is empty: nothing has come since it was saved last")
        plan = self._tracker.plan_id
        header = self._headers.make("buffer", plan, self._tracker.instruction(plan), note)
        records, log = self._ring.take(), self._ring_log
        self._ring_log = EpisodeLog()
        compression: Any = self.values.text("compression")
        self._save_at_s, self._saved_s = None, time.monotonic()
        least = self.values.integer("min_free") * MIB
        self._saving = self._saver.submit(save, self._folder, header, records, log, compression, least)
        self._saving.add_done_callback(self._tell_saved)
        return self._saving

    def _tell_saved(self, done: Future[Path]) -> None:
        error = done.exception()
        self._save_error = "" if error is None else f"the ring buffer was not saved: {error}"
        if error is not None:
            self.get_logger().error(self._save_error)
        else:
            self.get_logger().info(f"the ring buffer is in {done.result()}")

    def _tick(self) -> None:
        self._act(self._tracker.tick(time.monotonic()))
        if self._save_at_s is not None and time.monotonic() >= self._save_at_s:
            try:
                self._save_buffer(self._save_note)
            except RefusedError:
                self._save_at_s = None
        state = self._state_now()
        if state != self._shown:
            self._shown = state
            self._send_status()
        self._tell_condition()

    def _state_now(self) -> tuple[int, str]:
        assert self._thread is not None
        progress = self._thread.progress
        if progress.error:
            return RecorderStatus.FAILED, progress.message
        if self._tracker.recording:
            return RecorderStatus.RECORDING, ""
        buffering = self.values.number("buffer_seconds") > 0
        return (RecorderStatus.BUFFERING if buffering else RecorderStatus.IDLE), ""

    def _tell_condition(self) -> None:
        """The arm need not hold because nothing is recorded: worse than DEGRADED it never gets."""
        assert self._thread is not None
        progress = self._thread.progress
        if progress.error:
            self.set_condition(Condition(DEGRADED, progress.error, f"nothing is recorded: {progress.message}"))
        elif self._save_error:
            self.set_condition(Condition(DEGRADED, "BUFFER_LOST", self._save_error))
        elif progress.lost_now:
            text = f"{progress.lost_now} messages of this episode are lost: the disk or this machine is too slow"
            self.set_condition(Condition(DEGRADED, DROPPED, text))
        else:
            self.clear_condition()

    def _send_status(self) -> None:
        if self._thread is None:
            return
        progress = self._thread.progress
        state, message = self._state_now()
        status = RecorderStatus(
            state=state, folder=str(self._folder), episode=progress.number,
            finished_episodes=len(finished(self._folder)), messages=progress.messages, bytes=progress.size,
            dropped=progress.dropped, message=message,
        )  # fmt: skip
        status.header.stamp = ns_to_stamp(time.time_ns())
        self._status.publish(status)


PARAMETERS = Recorder.PARAMETERS


def main() -> int:
    """Entry point of `recorder`."""
    return run_node(Recorder)


if __name__ == "__main__":
    sys.exit(main())
