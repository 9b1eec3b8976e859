"""A language model plans for a whole graph of real processes, as `world2act up sim --planner llm` starts it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.system.conftest import Start
from world2act import topics
from world2act.client import GraphClient
from world2act_core.scripted_llm import Question, Reply, ScriptedLlm
from world2act_interfaces.msg import SkillPlan

UNUSUAL = "could you get me something to drink"
NOT_WANTED = "get me a sandwich"


def model(question: Question) -> Reply:
    """Knows one instruction; to any other it invents a skill."""
    skill = "pick" if json.loads(question.user)["instruction"] == UNUSUAL else "cook"
    step = {"skill": skill, "target": "can", "support": None}
    return Reply(json.dumps({"problem": "NONE", "explanation": "", "skills": [step]}))


def test_an_unusual_instruction_is_carried_out_and_an_invented_skill_is_not(start: Start, bundle: Path) -> None:
    with ScriptedLlm(model) as server:
        graph = start(bundle, planner="llm", llm_base_url=server.base_url, llm_model="scripted", llm_timeout=120.0)
        plans: list[SkillPlan] = []
        graph.session.node.create_subscription(SkillPlan, topics.SKILL_PLAN, plans.append, topics.latched())
        client = GraphClient(graph.session)
        ready = client.reset(5, "pick up the can").sim_time
        outcome = client.execute(UNUSUAL, tick=graph.check, not_before=ready)
        assert outcome.success, outcome
        assert graph.session.wait(lambda: bool(plans), 5.0)
        assert plans[-1].planner == "scripted" and plans[-1].skills[0].prompt == "pick up the can"
        refused = client.execute(NOT_WANTED, tick=graph.check)
        assert refused.error in ("UNKNOWN_SKILL", "UNKNOWN_OBJECT") and "'cook' is not one of" in refused.message
        assert len(plans) == 1 and len(server.questions) == 2
