"""recorder: every accepted instruction becomes an MCAP file; the last minute before a fault is saved too."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from action_msgs.msg import GoalStatusArray
from rcl_interfaces.msg import ParameterEvent
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.serialization import deserialize_message

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.bundle_access import read_contract
from world2act.cameras.sources import camera_sources
from world2act.health import OK
from world2act.parameters import Parameter
from world2act.recording.definitions import full_definition, type_name_of
from world2act.recording.events import EpisodeLog, FaultWatch, GoalWatch
from world2act.recording.fact_history import Facts
from world2act.recording.headers import HeaderMaker
from world2act.recording.last_minute import LastMinute
from world2act.recording.node_facts import SUBJECTS, NodeFacts
from world2act.recording.parameters import MIB, RECORDER_PARAMETERS, limits_of
from world2act.recording.prepare import make_folder, recover_all
from world2act.recording.report import condition_of, state_of, status_message
from world2act.recording.ring import LastWords
from world2act.recording.sources import GOAL_STATUS, PARAMETER_EVENTS, Source, graph_sources, qos_text
from world2act.recording.thread import RecordingThread
from world2act.recording.tracker import RECORDER_STOPPED, Begin, End, EpisodeTracker, RefusedError
from world2act.runner import run_node
from world2act_core.cameras.uri import CameraUri
from world2act_core.files import StorageError
from world2act_core.recording.layout import Header
from world2act_core.recording.writer import Channel, Record
from world2act_interfaces.msg import NodeHealth, RecorderStatus, SafetyStatus, Skill, SkillPlan
from world2act_interfaces.srv import Record as RecordService

LOOK_S = 0.02
"""Time between two looks for messages: short against the queues of the sources, long against a turn of the executor."""
ANSWER_S = 10.0
"""A request waits for the disk this long; messages wait in the middleware meanwhile."""


class Recorder(ManagedNode):
    """Takes messages as they travel, without decoding most of them, and hands them to a thread that writes."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = RECORDER_PARAMETERS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("recorder", **kwargs)
        self._thread: RecordingThread | None = None

    def setup(self) -> None:
        """Make the folder, finish what a crash has left in it, and subscribe."""
        bundle = self.values.text("bundle")
        self._folder = Path(self.values.text("folder")).absolute()
        self._headers = HeaderMaker.of_bundle(
            bundle, self.values.text("robot_profile"), self.get_namespace(), self.lockstep
        )
        make_folder(self._folder)
        for line in recover_all(self._folder):
            self.get_logger().info(line)
        self._decoders = {
            topics.SKILL_PLAN: (SkillPlan, self._on_plan),
            topics.SKILL: (Skill, self._on_skill),
            GOAL_STATUS: (GoalStatusArray, self._on_goals),
            topics.NODE_HEALTH: (NodeHealth, self._on_health),
            topics.SAFETY_STATUS: (SafetyStatus, self._on_safety),
            PARAMETER_EVENTS: (ParameterEvent, self._on_parameters),
        }
        self._words, self._faults, self._goals = LastWords(), FaultWatch(), GoalWatch()
        self._tracker = EpisodeTracker(
            self.values.text("episodes") == "automatic", self.values.number("postroll"),
            self.values.number("planner_timeout"), self.values.number("max_episode"),
        )  # fmt: skip
        keep_s = self.values.number("buffer_seconds")
        self._facts = [NodeFacts(self, subject, keep_s, self._note_facts) for subject in SUBJECTS]
        for facts in self._facts:
            self.own(facts.destroy)
        self._status = self.publisher(RecorderStatus, topics.RECORDER_STATUS, topics.reliable())
        cameras = self._cameras(bundle) if self.values.flag("pictures") else {}
        extra, joint_states = self.values.texts("extra_topics"), self.values.text("joint_states")
        for source in graph_sources(cameras, self.lockstep, extra, joint_states):
            self._subscribe(source)
        service = self.create_service(RecordService, topics.RECORD, self._on_request)
        self.own(lambda: self.destroy_service(service))
        self.every(LOOK_S, self.polled.take_in_order)
        self.every(0.1, self._tick)
        self.every(1.0, self._send_status)

    def _cameras(self, bundle: str) -> dict[str, CameraUri]:
        names = [camera.name for camera in read_contract(bundle).cameras]
        found = camera_sources(names, self.values.texts("cameras"))
        for name, uri in found.items():
            if uri.scheme != "topic":
                self.get_logger().warning(
                    f"camera {name!r} ({uri.shown}) is read by camera_ingest itself and has no topic: `pictures` "
                    "cannot record it; its pictures are in Observation, as the policy sees them"
                )
        return found

    def _subscribe(self, source: Source) -> None:
        name = type_name_of(source.message_type)
        channel = Channel(self.resolve_topic_name(source.topic), name, full_definition(name), qos_text(source.qos))
        # Raw: what is written is what was sent, byte for byte, and costs no decoding.
        self.poll(
            source.message_type,
            source.topic,
            lambda data, info: self._take(source, channel, data, info),
            source.qos,
            raw=True,
            event_callbacks=SubscriptionEventCallbacks(message_lost=self._on_lost),
        )

    def start(self) -> None:
        """Start the thread."""
        self.polled.take_in_order()  # what came before is kept for the words that begin an episode, and not recorded
        compression: Any = self.values.text("compression")
        limits = limits_of(self.values)
        self._last_minute = LastMinute(
            self._folder, compression, self.values.number("buffer_seconds"),
            self.values.integer("buffer_size") * MIB, limits.min_free_bytes,
            self.values.integer("buffer_files"), self._facts_at,
        )  # fmt: skip
        self._log = EpisodeLog()
        self._shown: int | None = None
        self._thread = RecordingThread(self._folder, compression, limits)

    def stop(self) -> None:
        """Finish the present episode, and a buffer that is being saved."""
        if self._thread is None:
            return
        self.polled.take_in_order()
        if self._tracker.recording:
            self._end(self._tracker.stop(True, RECORDER_STOPPED))
        self._last_minute.close(time.monotonic(), self._buffer_header)
        if not self._thread.close():
            self.get_logger().error("the disk is too slow to finish the present episode; its file can be recovered")
        self._send_status()
        self._thread = None

    def _take(self, source: Source, channel: Channel, data: bytes, info: dict[str, Any]) -> None:
        received_ns = int(info.get("received_timestamp") or time.time_ns())
        record = Record(channel, data, received_ns, int(info.get("source_timestamp") or received_ns))
        # Before it is decoded: the word that begins an episode is among the first of its file then.
        self._words.push(record, source.keep)
        if self._thread is not None:
            self._last_minute.push(record)
            if self._tracker.recording:
                self._thread.put(record)
        if source.topic in self._decoders:
            message_type, callback = self._decoders[source.topic]
            callback(deserialize_message(data, message_type))

    def _on_lost(self, info: Any) -> None:
        if self._thread is not None and self._tracker.recording:
            self._thread.lost(int(info.total_count_change))

    def _on_plan(self, message: SkillPlan) -> None:
        self._tracker.plan(int(message.plan_id), message.instruction)
        if self._thread is not None and self._tracker.plan_id == message.plan_id:
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
        if self._thread is None:
            return
        self._log.add(events)
        self._last_minute.add_events(events)
        if fault:
            note = "; ".join(f"{event['source']}: {event['name']}" for event in events)
            self._last_minute.fault(note, time.monotonic(), self.values.number("postroll"))

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
        for facts in self._facts:
            self._note_facts(facts.subject.record, facts.history.newest)
            facts.ask()

    def _end(self, end: End) -> Future[Path]:
        assert self._thread is not None
        self.look_for_qos_events()  # losses are the episode's as long as it is open
        done = self._thread.end(end.reason, end.keep)
        done.add_done_callback(partial(self._tell_end, end))
        return done

    def _tell_end(self, end: End, done: Future[Path]) -> None:
        error = done.exception()
        if error is not None:
            self.get_logger().error(f"the episode was not finished: {error}")
        else:
            self.get_logger().info(f"{done.result()}: {end.reason}")

    def _note_facts(self, record: str, facts: Facts) -> None:
        if self._thread is not None and facts:
            self._thread.note(record, facts)

    def _facts_at(self, time_ns: int) -> dict[str, Facts]:
        return {facts.subject.record: facts.history.at(time_ns) for facts in self._facts}

    def _on_parameters(self, message: ParameterEvent) -> None:
        for facts in self._facts:
            facts.changed(message, time.time_ns())

    def _on_request(self, request: Any, response: Any) -> Any:
        if self._thread is None:
            response.message = "recorder is not active: bring the graph up first"
            return response
        self.polled.take_in_order()  # what was sent before the request is a part of what it ends
        try:
            response.path = self._obey(request.command, request.note)
            response.ok = True
        except (RefusedError, StorageError) as error:
            response.message = str(error)
        except FutureTimeoutError:
            response.message = "the disk is slow, it is being written still: see recorder_status"
        return response

    def _obey(self, command: str, note: str) -> str:
        """Returns the path of what was finished; "" when nothing was."""
        if command == RecordService.Request.START:
            self._begin(self._tracker.start(note, time.monotonic()))
            return ""
        if command == RecordService.Request.STOP:
            return str(self._end(self._tracker.stop(True)).result(timeout=ANSWER_S))
        if command == RecordService.Request.DISCARD:
            self._end(self._tracker.stop(False)).result(timeout=ANSWER_S)
            return ""
        if command == RecordService.Request.SAVE_BUFFER:
            return str(self._last_minute.save(note, time.monotonic(), self._buffer_header).result(timeout=ANSWER_S))
        raise RefusedError(f"unknown command {command!r}; there are: start, stop, discard, save_buffer")

    def _buffer_header(self, note: str) -> Header:
        plan = self._tracker.plan_id
        return self._headers.make("buffer", plan, self._tracker.instruction(plan), note)

    def _tick(self) -> None:
        assert self._thread is not None
        for facts in self._facts:
            facts.tick(time.monotonic())
        self._act(self._tracker.tick(time.monotonic()))
        self._last_minute.tick(time.monotonic(), self._buffer_header)
        if self._present_state() != self._shown:
            self._send_status()
        condition = condition_of(self._thread.progress, self._last_minute.error)
        if condition.level == OK:
            self.clear_condition()
        else:
            self.set_condition(condition)

    def _present_state(self) -> int:
        assert self._thread is not None
        return state_of(self._thread.progress, self._tracker.recording, self._last_minute.enabled)

    def _send_status(self) -> None:
        if self._thread is not None:
            self._shown = self._present_state()
            self._status.publish(status_message(self._folder, self._thread.progress, self._shown))


PARAMETERS = Recorder.PARAMETERS


def main() -> int:
    """Entry point of `recorder`."""
    return run_node(Recorder)


if __name__ == "__main__":
    sys.exit(main())
