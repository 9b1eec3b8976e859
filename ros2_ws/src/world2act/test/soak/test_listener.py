"""What is counted of real messages: commands and observations, faults when they begin, holds under way."""

from __future__ import annotations

import time
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from world2act import topics
from world2act.graph import DEFAULT_SIM_PROFILE
from world2act.health import DEGRADED, FAULT, OK, Condition, diagnostics_message
from world2act.meters import Meters
from world2act.soak.counts import Counts
from world2act.soak.listener import Listener
from world2act.sparing_node import SparingNode
from world2act_interfaces.msg import EpisodeStatus, NodeHealth, Observation, SafetyFlag, SafetyStatus


class Stage:
    """A listener, and a node that plays the graph."""

    def __init__(self, ros: Any) -> None:
        self.ros, self.counts = ros, Counts()
        graph = ros.add(Node("graph", context=ros.context, use_global_arguments=False))
        node = ros.add(SparingNode("soak", context=ros.context, use_global_arguments=False))
        self.listener = Listener(node, DEFAULT_SIM_PROFILE, self.counts)
        node.create_timer(0.01, self.listener.look)
        reliable = topics.reliable(50)
        self.commands = graph.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", reliable)
        self.observations = graph.create_publisher(Observation, topics.OBSERVATION, reliable)
        self.status = graph.create_publisher(SafetyStatus, topics.SAFETY_STATUS, reliable)
        self.health = graph.create_publisher(NodeHealth, topics.NODE_HEALTH, reliable)
        self.episode = graph.create_publisher(EpisodeStatus, topics.EPISODE_STATUS, topics.latched())
        self.diagnostics = graph.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, reliable)
        publishers = (self.diagnostics, self.commands, self.observations, self.status, self.health, self.episode)
        assert ros.until(lambda: all(publisher.get_subscription_count() for publisher in publishers))

    def say(self, mode: int, *latched: str) -> None:
        """A safety status; returns when it has been heard."""
        flags = [SafetyFlag(name=name, level=SafetyFlag.ERROR, latched=True) for name in latched]
        self.status.publish(SafetyStatus(mode=mode, flags=flags))
        moving = mode < SafetyStatus.HOLDING
        assert self.ros.until(lambda: self.listener.latched == set(latched) and self.listener._moving == moving)


@pytest.fixture
def stage(ros: Any) -> Stage:
    """One per test."""
    return Stage(ros)


def test_commands_are_timed_by_their_writer_not_by_when_we_look(stage: Stage) -> None:
    commands = stage.listener.commands
    stage.commands.publish(JointTrajectory())
    assert stage.ros.until(lambda: commands.total == 1)
    commands.take(time.time())
    for _ in range(5):
        stage.commands.publish(JointTrajectory())
        time.sleep(0.01)
    sent_s = time.time()
    time.sleep(2.0)  # this process does something else
    assert stage.ros.until(lambda: commands.total == 6)
    assert commands.take(sent_s)[1] < 2.0, "the time in which nobody looked is no gap"


def test_observations_are_counted(stage: Stage) -> None:
    for _ in range(4):
        stage.observations.publish(Observation())
    assert stage.ros.until(lambda: stage.listener.observations.total == 4)
    assert stage.listener.commands.total == 0


def test_timing_is_what_arm_commander_says(stage: Stage) -> None:
    meters = Meters()
    meters.latency("period error", 0.002)
    meters.latency("safety filter, processor time", 0.0003)
    for node in ("/arm_commander", "/vla_policy"):
        stage.diagnostics.publish(diagnostics_message(node, "active", Condition(OK), meters.summary()))
        meters.latency("period error", 0.5)
    assert stage.ros.until(lambda: len(stage.listener.timing) == 4)
    assert stage.listener.timing["arm_commander.period_error_p99_ms"] == 2.0
    assert stage.listener.timing["arm_commander.safety_filter_processor_time_p50_ms"] == 0.3


def test_a_fault_counts_once_for_as_long_as_it_lasts(stage: Stage) -> None:
    stage.say(SafetyStatus.STOPPED, "E_STOP")
    stage.say(SafetyStatus.STOPPED, "E_STOP", "STATE_LOST")
    assert stage.listener.latched == {"E_STOP", "STATE_LOST"}
    stage.say(SafetyStatus.HOLDING)
    assert not stage.listener.latched
    stage.say(SafetyStatus.STOPPED, "E_STOP")
    assert stage.counts.faults == {"E_STOP": 2, "STATE_LOST": 1}


def test_what_nodes_say_counts_with_their_name(stage: Stage) -> None:
    for level, fault in ((FAULT, "CAMERA_SILENT"), (FAULT, "CAMERA_SILENT"), (OK, ""), (FAULT, "CAMERA_SILENT")):
        stage.health.publish(NodeHealth(node="/camera_ingest", level=level, fault=fault))
    assert stage.ros.until(lambda: stage.counts.faults == {"camera_ingest: CAMERA_SILENT": 2})


def test_a_node_that_was_lost_waits_to_be_cleared_too(stage: Stage) -> None:
    stage.say(SafetyStatus.STOPPED, "E_STOP")
    stage.health.publish(NodeHealth(node="/supervisor", level=FAULT, fault="NODE_LOST"))
    assert stage.ros.until(lambda: stage.listener.latched == {"E_STOP", "NODE_LOST"})
    stage.health.publish(NodeHealth(node="/supervisor", level=DEGRADED, fault="RECORDER_LOST"))
    assert stage.ros.until(lambda: stage.listener.latched == {"E_STOP"}), "nothing waits for a recorder"
    stage.health.publish(NodeHealth(node="/supervisor", level=OK))


def test_only_an_arm_that_was_under_way_comes_to_hold(stage: Stage) -> None:
    stage.say(SafetyStatus.HOLDING)
    stage.listener.working = True
    stage.say(SafetyStatus.HOLDING)
    assert stage.counts.holds == 0
    stage.say(SafetyStatus.RUNNING)
    stage.say(SafetyStatus.SLOWED)
    stage.say(SafetyStatus.HOLDING)
    stage.say(SafetyStatus.STOPPED)
    assert stage.counts.holds == 1
    stage.listener.working = False
    stage.say(SafetyStatus.RUNNING)
    stage.say(SafetyStatus.HOLDING)
    assert stage.counts.holds == 1


def test_the_simulators_judgement(stage: Stage) -> None:
    stage.episode.publish(EpisodeStatus(success=True))
    assert stage.ros.until(lambda: stage.listener.achieved)
    stage.episode.publish(EpisodeStatus(success=False))
    assert stage.ros.until(lambda: not stage.listener.achieved)
