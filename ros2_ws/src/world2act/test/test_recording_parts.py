"""The recorder's parts without a graph: when episodes begin, what is kept in memory, what counts as an event."""

from __future__ import annotations

import random

import pytest
from action_msgs.msg import GoalInfo, GoalStatus, GoalStatusArray
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from world2act import topics
from world2act.errors import ConfigurationError
from world2act.recording.definitions import full_definition, message_class, type_name_of
from world2act.recording.events import MAX_EVENTS, EpisodeLog, FaultWatch, GoalWatch
from world2act.recording.fact_history import FactHistory
from world2act.recording.pages import PAGE_BYTES
from world2act.recording.ring import LastWords, RingBuffer
from world2act.recording.sources import graph_sources, qos_text
from world2act.recording.tracker import (
    INSTRUCTION_ENDED,
    NEXT_INSTRUCTION,
    PLANNER_SILENT,
    STOPPED,
    TOO_LONG,
    Begin,
    End,
    EpisodeTracker,
    RefusedError,
)
from world2act_core.cameras.uri import parse_camera_uri
from world2act_core.recording.writer import Channel, Record
from world2act_interfaces.msg import NodeHealth, Observation, SafetyFlag, SafetyStatus

SECOND = 1_000_000_000
SCENE = {"scene": parse_camera_uri("topic:camera/scene/image_raw")}


def record(topic: str, at_s: float, size: int = 10) -> Record:
    return Record(Channel(topic, "std_msgs/msg/String", "string data"), bytes(size), round(at_s * SECOND), 0)


def tracker(automatic: bool = True) -> EpisodeTracker:
    return EpisodeTracker(automatic, postroll_s=1.0, silence_s=5.0, limit_s=100.0)


def test_an_instruction_is_an_episode() -> None:
    t = tracker()
    t.plan(1, "pick up the can")
    assert t.skill(1, True, 10.0) == [Begin("pick up the can", 1, "")] and t.recording and t.plan_id == 1
    assert t.skill(1, True, 11.0) == [] and t.tick(11.5) == []
    assert t.skill(0, False, 12.0) == [] and t.tick(12.9) == []
    assert t.tick(13.0) == [End(INSTRUCTION_ENDED)] and not t.recording
    # A planner that was restarted counts from 1 again.
    t.plan(1, "again")
    assert t.skill(1, True, 20.0) == [Begin("again", 1, "")]
    t.plan(2, "the next")
    assert t.skill(2, True, 21.0) == [End(NEXT_INSTRUCTION), Begin("the next", 2, "")]


def test_a_silent_planner_and_the_limit_end_an_episode() -> None:
    t = tracker()
    t.skill(1, True, 0.0)
    assert t.tick(5.0) == [] and t.tick(5.1) == [End(PLANNER_SILENT)]
    assert t.skill(1, True, 6.0) == [], "its last word must not begin it again"
    t.skill(0, False, 7.0)
    assert t.skill(1, True, 8.0) == [Begin("", 1, "")]
    for second in range(9, 109):
        assert t.tick(second - 1.0) == []
        t.skill(1, True, second)
    assert t.tick(108.5) == [End(TOO_LONG)]


def test_start_and_stop() -> None:
    t = tracker()
    with pytest.raises(RefusedError, match="nothing to end"):
        t.stop(True)
    assert t.start("by hand", 0.0).instruction == "by hand"
    with pytest.raises(RefusedError, match="already"):
        t.start("", 1.0)
    t.plan(4, "pick")
    assert t.skill(4, True, 2.0) == [] and t.plan_id == 4, "an instruction does not end what was started by hand"
    assert t.skill(0, False, 3.0) == [] and t.tick(99.0) == []
    t.skill(4, True, 99.0)
    assert t.stop(True) == End(STOPPED, True)
    assert t.skill(4, True, 99.5) == [], "the rest of the instruction was not asked for"
    manual = tracker(automatic=False)
    assert manual.skill(1, True, 0.0) == [] and not manual.recording


def test_the_ring_is_bounded_in_time_and_bytes() -> None:
    ring = RingBuffer(2.0, 100)
    for number in range(10):
        ring.push(record("a", number * 0.5))
    assert len(ring) == 5 and ring.size == 50, "two seconds"
    ring.push(record("a", 4.6, 70))
    assert ring.size <= 100 and len(ring) == 4
    ring.push(record("a", 4.7, 101))
    assert len(ring) == 0 and ring.size == 0, "one that is too large on its own is not kept"
    ring.push(record("a", 5.0))
    assert [r.log_ns for r in ring.take()] == [5 * SECOND] and len(ring) == 0 and ring.size == 0


def test_the_ring_gives_back_what_it_was_given_and_the_memory_for_it() -> None:
    ring = RingBuffer(60.0, 8 * PAGE_BYTES)
    sizes = [0, 10, PAGE_BYTES - 10, PAGE_BYTES // 2, PAGE_BYTES // 2 + 1, 3 * PAGE_BYTES, 5]
    channel = Channel("a", "std_msgs/msg/String", "string data")
    sent = [
        Record(channel, random.Random(number).randbytes(size), number, number + 1) for number, size in enumerate(sizes)
    ]
    for message in sent:
        ring.push(message)
    assert ring.pages == 5, "10 and the next fill one, halves and what is too large have their own"
    taken = ring.take()
    ring.push(sent[1])
    assert list(taken) == sent and len(ring) == 1, "what is taken is no longer what comes in"
    for number in range(1000):
        ring.push(Record(channel, bytes(100_000), number * SECOND, 0))
        assert ring.pages * PAGE_BYTES <= ring.size + 2 * PAGE_BYTES + ring.pages * 100_000


def test_last_words() -> None:
    words = LastWords()
    for at in (1.0, 2.0, 3.0):
        words.push(record("state", at), 2)
        words.push(record("event", at), 0)
    words.push(record("latched", 0.5), 1)
    assert [(r.channel.topic, r.log_ns / SECOND) for r in words.records()] == [
        ("latched", 0.5), ("state", 2.0), ("state", 3.0),
    ]  # fmt: skip


def goals(**status: int) -> GoalStatusArray:
    """Name, which begins with the second it was accepted at -> status."""
    return GoalStatusArray(
        status_list=[
            GoalStatus(
                goal_info=GoalInfo(goal_id=_uuid(name), stamp=Time(sec=int(name[1:]))), status=value
            )
            for name, value in status.items()
        ]
    )  # fmt: skip


def _uuid(name: str):
    from unique_identifier_msgs.msg import UUID

    return UUID(uuid=list(name.encode().ljust(16, b"\0")))


def test_the_oldest_goal_that_ended_is_the_episodes() -> None:
    watch, log = GoalWatch(), EpisodeLog("pick")
    log.goals(watch.see(goals(g5=GoalStatus.STATUS_ACCEPTED)))
    assert log.outcome("x").goal == "unknown"
    # Somebody else's instruction is refused meanwhile.
    log.goals(watch.see(goals(g5=GoalStatus.STATUS_ACCEPTED, g7=GoalStatus.STATUS_ABORTED)))
    log.goals(watch.see(goals(g5=GoalStatus.STATUS_SUCCEEDED, g7=GoalStatus.STATUS_ABORTED)))
    assert log.outcome("x").goal == "succeeded" and log.outcome("x").instruction == "pick"
    later = EpisodeLog()
    later.goals(watch.see(goals(g5=GoalStatus.STATUS_SUCCEEDED, g9=GoalStatus.STATUS_CANCELED)))
    assert later.outcome("x").goal == "canceled", "what ended before this episode is not its own"


def test_events_are_changes() -> None:
    watch = FaultWatch()
    health = NodeHealth(node="/camera_ingest", level=NodeHealth.FAULT, fault="INPUT_SILENT", message="cable")
    events, fault = watch.health(health)
    assert fault and events[0]["name"] == "INPUT_SILENT" and events[0]["source"] == "/camera_ingest"
    assert watch.health(health) == ([], False)
    over, fault = watch.health(NodeHealth(node="/camera_ingest"))
    assert not fault and over[0]["level"] == NodeHealth.OK
    degraded = NodeHealth(node="/camera_ingest", level=NodeHealth.DEGRADED, fault="SLOW")
    assert watch.health(degraded)[1] is False
    flag = SafetyFlag(name="E_STOP", level=SafetyFlag.ERROR, active=True, reaction=SafetyFlag.REACTION_STOP)
    events, fault = watch.safety(SafetyStatus(flags=[SafetyFlag(name="JOINT_JERK"), flag]))
    assert fault and [event["name"] for event in events] == ["E_STOP"] and events[0]["reaction"] == "stop"
    assert watch.safety(SafetyStatus(flags=[flag])) == ([], False)
    flag.active, flag.latched = False, True
    events, fault = watch.safety(SafetyStatus(flags=[flag]))
    assert not fault and events[0]["latched"] is True
    log = EpisodeLog()
    log.add(events * (MAX_EVENTS + 5))
    assert len(log.outcome("x").safety_events) == MAX_EVENTS


def test_every_recorded_type_is_understood_by_another_library() -> None:
    store = get_typestore(Stores.EMPTY)
    for source in graph_sources(SCENE, lockstep=True, extra=["/chatter std_msgs/msg/ColorRGBA"]):
        name = type_name_of(source.message_type)
        store.register(get_types_from_msg(full_definition(name), name))
        message = source.message_type()
        if name == "sensor_msgs/msg/JointState":
            # Libraries differ on how empty lists of float64 are padded; the graph's are not empty.
            message.position = message.velocity = message.effort = [1.0]
        decoded = store.deserialize_cdr(serialize_message(message), name)
        fields = set(source.message_type.get_fields_and_field_types())
        assert fields <= set(vars(decoded)) | set(getattr(decoded, "__dataclass_fields__", ())), name
        assert "depth" in qos_text(source.qos)
    assert "# Name of each element of `state`" in full_definition("world2act_interfaces/msg/Observation"), "with words"


def test_sources() -> None:
    names = [source.topic for source in graph_sources({}, False)]
    assert names[:2] == [topics.SKILL_PLAN, topics.SKILL], "a recording begins before its first chunk is taken"
    assert topics.image_topic("scene") in [source.topic for source in graph_sources(SCENE, False)]
    device = {"wrist": parse_camera_uri("v4l2:/dev/video0")}
    assert [source.topic for source in graph_sources(device, False)] == names, "a device has no topic"
    with pytest.raises(ConfigurationError, match="a topic and its type"):
        graph_sources({}, False, ["/tf"])
    with pytest.raises(ConfigurationError, match="no message type 'nonsense_msgs/msg/Word'"):
        graph_sources({}, False, ["/tf nonsense_msgs/msg/Word"])
    with pytest.raises(ConfigurationError, match="twice"):
        graph_sources({}, False, ["observation world2act_interfaces/msg/Observation"])
    assert message_class("world2act_interfaces/msg/Observation") is Observation


def test_facts_are_those_of_their_time() -> None:
    history = FactHistory(keep_ns=60)
    history.change({"residual": "true"}, 5)
    assert not history.known and history.newest == history.at(100) == {}, "a change says nothing of the others"
    assert history.answer({"residual": "true", "threads": "1"}, 10) and history.known
    assert not history.answer({"residual": "true", "threads": "1"}, 20), "nothing new"
    history.change({"residual": "false", "use_sim_time": "true"}, 50)
    assert history.newest == {"residual": "false", "threads": "1"}
    assert [history.at(time)["residual"] for time in (0, 10, 49, 50, 99)] == ["true", "true", "true", "false", "false"]
    history.change({"threads": "2"}, 109)
    assert history.at(49)["residual"] == "true", "it held when what is kept began"
    history.change({"threads": "3"}, 111)
    assert history.at(49) == {"residual": "false", "threads": "1"}, "forgotten"
