"""The LLM client against a real HTTP server that speaks the protocol and misbehaves on demand."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from world2act_core.llm import LlmClient, LlmEndpoint, LlmError, require_openai
from world2act_core.llm_exchange import MAX_BODY_BYTES, Dialect, served_models
from world2act_core.scripted_llm import Reply, ScriptedLlm

KEY = "sk-test-do-not-tell-0123456789"
GOOD = Reply('{"prompts": ["pick up the can", "put it in the bin"], "certain": true}')
PATIENCE_S = 60.0
"""For what must not time out: the machines are shared."""


class Prompts(BaseModel):
    """What is asked for in these tests."""

    prompts: list[str] = Field(max_length=8)
    certain: bool = False


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    require_openai()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("world2act_core.llm_exchange.BACK_OFF_S", 0.01)


def ask(
    server: ScriptedLlm, cache: Path | None = None, cancel: threading.Event | None = None, **options: Any
) -> Prompts:
    endpoint = LlmEndpoint(server.base_url, "scripted", **{"timeout_s": PATIENCE_S, **options})
    return LlmClient(endpoint, cache).ask("Split it.", "tidy up", Prompts, cancel)


def failure(server: ScriptedLlm, **options: Any) -> LlmError:
    with pytest.raises(LlmError) as caught:
        ask(server, **options)
    assert KEY not in caught.value.message and len(caught.value.message) < 700 and "\n" not in caught.value.message
    return caught.value


def test_one_question_as_it_goes_over_the_wire() -> None:
    with ScriptedLlm([GOOD]) as server:
        answer = ask(server)
    assert answer == Prompts(prompts=["pick up the can", "put it in the bin"], certain=True)
    (question,) = server.questions
    assert question.path == "/v1/chat/completions" and question.headers["authorization"] == f"Bearer {KEY}"
    assert question.body["model"] == "scripted" and question.body["temperature"] == 0 and question.user == "tidy up"
    system = question.body["messages"][0]
    assert system["role"] == "system" and system["content"].startswith("Split it.") and '"prompts"' in system["content"]
    wanted = question.body["response_format"]["json_schema"]
    assert wanted["strict"] is True and wanted["schema"]["additionalProperties"] is False
    assert (
        wanted["schema"]["required"] == ["prompts", "certain"]
        and wanted["schema"]["properties"]["prompts"]["maxItems"] == 8
    )


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with ScriptedLlm([Reply("busy", status), GOOD]) as server:
        assert ask(server).certain
    assert len(server.questions) == 2


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_a_broken_connection_is_tried_again(fault: Any) -> None:
    with ScriptedLlm([Reply("x" * 1000, fault=fault), Reply("x" * 1000, fault=fault), GOOD]) as server:
        assert ask(server).certain
    assert len(server.questions) == 3


@pytest.mark.parametrize(
    ("reply", "questions", "said"),
    [
        (Reply("down", 500), 3, "HTTP 500: 'down'"),
        (Reply(fault="reset"), 3, "is the server running"),
        (Reply("", 503), 3, "503"),
    ],
)
def test_what_does_not_pass_is_unreachable_after_the_retries(reply: Reply, questions: int, said: str) -> None:
    with ScriptedLlm([reply]) as server:
        error = failure(server, retries=2)
    assert error.code == "UNREACHABLE" and said in error.message and server.base_url in error.message
    assert len(server.questions) == questions


def test_nobody_there_is_unreachable() -> None:
    with ScriptedLlm([GOOD]) as server:
        pass  # its port is free again
    assert failure(server, retries=1).code == "UNREACHABLE"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(f"Incorrect API key provided: {KEY}", 401), "the key in OPENAI_API_KEY was sent"),
        (Reply("no", 403), "HTTP 403"),
        (Reply("no such model", 404), "is 'scripted' served there"),
        (Reply("moved", 307, headers={"Location": "http://example.com/v1"}), "http://example.com/v1"),
        (Reply(None, refusal="I'm sorry, Dave."), "Dave"),
        (Reply("", finish_reason="content_filter"), "content filter"),
        (Reply(raw=b'{"error": {"message": "no credits"}}'), "no credits"),
        (Reply(raw=b'{"error": {"message": "pay", "code": "insufficient_quota"}}', status=429), "pay"),
        (Reply("context too long " * 500, 413), "HTTP 413"),
    ],
    ids=["key", "forbidden", "model", "redirect", "refusal", "filter", "error in a 200", "quota", "too large"],
)
def test_a_no_is_final(reply: Reply, said: str) -> None:
    with ScriptedLlm([reply]) as server:
        error = failure(server)
    assert error.code == "REFUSED" and said in error.message
    assert len(server.questions) == 1, "asking again would not help"


@pytest.mark.parametrize(
    "reply",
    [
        Reply("Sure! First I would pick up the can."),
        Reply('{"prompts": "pick up the can"}'),
        Reply('{"prompts": ["a", "b"'),
        Reply('{"prompts": ["a"]} or rather {"prompts": ["b"]}'),
        Reply(json.dumps({"prompts": ["pick up the can"] * 10_000})),
        Reply('{"prompts": ["' + "[" * 50_000 + '"'),
        Reply("[" * 100_000 + "{}"),
        Reply('{"prompts": ["\\ud800"]}'),
        Reply('{"prompts": ["a"]}', finish_reason="length"),
        Reply(None),
        Reply(""),
        Reply(raw=b""),
        Reply(raw=b"<html>Welcome to the hotel's network</html>", headers={"Content-Type": "text/html"}),
        Reply(raw=b"[" * 100_000),
        Reply(raw=b'{"choices": [{"message": {"content": "\\ud800"}}]}'),
        Reply(raw=b'{"choices": []}'),
        Reply(raw=b'{"choices": [{"message": {"content": 3}}]}'),
        Reply(raw=b"\xff\xfe\x00"),
        Reply("x" * (MAX_BODY_BYTES + 1)),
        Reply(fault="endless"),
    ],
    ids=range(20),
)  # fmt: skip
def test_nonsense_is_nonsense_at_once(reply: Reply) -> None:
    with ScriptedLlm([reply]) as server:
        assert failure(server).code == "NONSENSE"
    assert len(server.questions) == 1


@pytest.mark.parametrize("kind", ["silent", "drip", "huge error"])
def test_the_time_of_a_question_is_bounded(kind: str) -> None:
    reply = {
        "silent": Reply(delay_s=PATIENCE_S), "drip": Reply(fault="drip"), "huge error": Reply("", 500, fault="drip")
    }[kind]  # fmt: skip
    with ScriptedLlm([reply]) as server:
        began = time.monotonic()
        error = failure(server, timeout_s=1.0)
        assert time.monotonic() - began < 15.0
    assert error.code == "TIMEOUT" and "within 1 s" in error.message


def test_retries_share_the_time_of_the_question() -> None:
    with ScriptedLlm([Reply("busy", 503, delay_s=0.4)]) as server:
        began = time.monotonic()
        error = failure(server, timeout_s=1.5, retries=20)
        assert time.monotonic() - began < 15.0
    assert error.code in ("TIMEOUT", "UNREACHABLE") and "busy" in error.message


@pytest.mark.parametrize("wait", ["1", formatdate(time.time() + 3600)])
def test_retry_after_is_honoured_when_there_is_time(wait: str) -> None:
    began = time.monotonic()
    with ScriptedLlm([Reply("slow down", 429, headers={"Retry-After": wait}), GOOD]) as server:
        if wait == "1":
            assert ask(server).certain and time.monotonic() - began >= 1.0
        else:
            assert failure(server).code == "UNREACHABLE" and len(server.questions) == 1, "an hour is too long to wait"


@pytest.mark.parametrize("wait", ["nan", "-5", "inf", "soon", ""])
def test_a_senseless_retry_after_is_ignored(wait: str) -> None:
    with ScriptedLlm([Reply("slow down", 429, headers={"Retry-After": wait}), GOOD]) as server:
        assert ask(server).certain


def test_a_server_without_structured_output_is_asked_more_simply_and_remembered() -> None:
    def old_server(question: Any) -> Reply:
        if question.body.get("response_format", {}).get("type") == "json_schema":
            return Reply("response_format json_schema is not supported", 400)
        return GOOD

    with ScriptedLlm(old_server) as server:
        client = LlmClient(LlmEndpoint(server.base_url, "old", timeout_s=PATIENCE_S))
        assert client.ask("s", "first", Prompts).certain and client.ask("s", "second", Prompts).certain
    kinds = [question.body["response_format"]["type"] for question in server.questions]
    assert kinds == ["json_schema", "json_object", "json_object"]


def test_a_server_that_takes_neither_format_nor_temperature() -> None:
    def picky(question: Any) -> Reply:
        if "temperature" in question.body:
            return Reply("temperature does not support 0 with this model", 400)
        if "response_format" in question.body:
            return Reply("response_format: unknown field", 422)
        return Reply('<think>{"prompts": ["no"]}</think>\nHere it is:\n```json\n{"prompts": ["yes"]}\n```\nDone.')

    with ScriptedLlm(picky) as server:
        assert ask(server).prompts == ["yes"]
    assert len(server.questions) == 4


def test_a_request_that_is_wrong_in_any_dialect_is_refused_and_nothing_is_remembered() -> None:
    with ScriptedLlm([Reply("the prompt is too long", 400)]) as server:
        client = LlmClient(LlmEndpoint(server.base_url, "scripted", timeout_s=PATIENCE_S))
        with pytest.raises(LlmError, match="the prompt is too long"):
            client.ask("s", "u", Prompts)
    assert len(server.questions) == 3 and client._dialect == Dialect()


def test_giving_up_takes_a_moment_only() -> None:
    cancel = threading.Event()
    with ScriptedLlm([Reply(delay_s=PATIENCE_S)]) as server:
        threading.Timer(0.5, cancel.set).start()
        began = time.monotonic()
        assert failure(server, cancel=cancel).code == "CANCELED"
        assert time.monotonic() - began < 15.0


def test_the_cache_answers_without_asking(tmp_path: Path) -> None:
    with ScriptedLlm([GOOD]) as server:
        first = ask(server, tmp_path)
    again = ask(server, tmp_path)  # the server is gone
    assert first == again and len(server.questions) == 1
    (entry,) = tmp_path.iterdir()
    assert len(entry.stem) == 64 and json.loads(entry.read_text())["answer"]["certain"] is True
    assert KEY not in entry.read_text()


def test_the_cache_tells_models_messages_and_schemas_apart(tmp_path: Path) -> None:
    class Other(BaseModel):
        prompts: list[str]

    with ScriptedLlm([Reply('{"prompts": []}')]) as server:
        for model, text, schema in [("a", "x", Prompts), ("b", "x", Prompts), ("a", "y", Prompts), ("a", "x", Other)]:
            LlmClient(LlmEndpoint(server.base_url, model, timeout_s=PATIENCE_S), tmp_path).ask("s", text, schema)
    assert len(server.questions) == 4 == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"answer": {"prompts": 3}}', "\udcff"])
def test_a_damaged_cache_entry_is_asked_for_again(tmp_path: Path, content: str) -> None:
    with ScriptedLlm([GOOD]) as server:
        ask(server, tmp_path)
        (entry,) = tmp_path.iterdir()
        entry.write_bytes(content.encode(errors="surrogateescape"))
        assert ask(server, tmp_path).certain
    assert len(server.questions) == 2 and json.loads(entry.read_text())["answer"]["certain"] is True


def test_a_cache_that_cannot_be_written_costs_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("not a folder")
    with ScriptedLlm([GOOD]) as server, caplog.at_level(logging.WARNING):
        assert ask(server, tmp_path / "file").certain
    assert "cannot write" in caplog.text


def test_failures_are_not_cached(tmp_path: Path) -> None:
    with ScriptedLlm([Reply("prose"), GOOD]) as server:
        assert failure(server, cache=tmp_path).code == "NONSENSE"
        assert ask(server, tmp_path).certain


def test_the_key_is_never_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with ScriptedLlm([Reply(f'{{"prompts": ["{KEY}"]}}')]) as server, caplog.at_level(logging.DEBUG):
        answer = ask(server, tmp_path)
    assert answer.prompts == ["***"] and KEY not in caplog.text
    assert KEY not in repr(LlmClient(LlmEndpoint(server.base_url, "m")).__dict__)


def test_the_usual_key_is_not_sent_in_the_clear_to_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"OPENAI_API_KEY": KEY, "LAB_KEY": "lab"}
    assert LlmEndpoint("http://10.0.0.7:8000/v1", "m").api_key(keys) == ""
    assert LlmEndpoint("http://10.0.0.7:8000/v1", "m", "LAB_KEY").api_key(keys) == "lab"
    assert LlmEndpoint("https://10.0.0.7/v1", "m").api_key(keys) == KEY
    assert LlmEndpoint("http://localhost:8000/v1", "m").api_key(keys) == KEY
    assert LlmEndpoint("http://localhost:8000/v1", "m", "").api_key(keys) == ""


@pytest.mark.parametrize("key", ["sk\nHost: evil", "schlüssel", "sk\x00"])
def test_a_key_that_no_header_can_carry_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("LLM_KEY", key.replace("\x00", "\x01"))
    with ScriptedLlm([GOOD]) as server:
        assert failure(server, api_key_variable="LLM_KEY").code == "REFUSED"
    assert not server.questions


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"base_url": "localhost:8000"}, "no address"),
        ({"base_url": "ftp://localhost/v1"}, "no address"),
        ({"base_url": "http://:8000/v1"}, "no address"),
        ({"base_url": "http://localhost:99999/v1"}, "no address"),
        ({"base_url": "http://user:secret@localhost/v1"}, "user name"),
        ({"base_url": "http://localhost/v1?key=secret"}, "query"),
        ({"model": ""}, "model is empty"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"retries": -1}, "retries"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        LlmEndpoint(**{"base_url": "http://localhost:8000/v1", "model": "m", **values})
    assert "secret" not in str(caught.value)


def test_the_models_of_an_endpoint() -> None:
    with ScriptedLlm([GOOD], models=("small", "large")) as server:
        endpoint = LlmEndpoint(server.base_url, "small", timeout_s=PATIENCE_S)
        assert served_models(endpoint) == ["small", "large"]
    with pytest.raises(LlmError, match="is the server running"):
        served_models(LlmEndpoint(server.base_url, "small", retries=0, timeout_s=PATIENCE_S))


def test_without_openai_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(LlmError, match=r"pip install world2act_core\[llm\]") as caught:
        LlmClient(LlmEndpoint("http://localhost:9/v1", "m")).ask("s", "u", Prompts)
    assert caught.value.code == "UNREACHABLE"


def test_nothing_is_imported_before_the_first_question() -> None:
    code = (
        "import sys, world2act_core.llm_planner as p; from world2act_core.llm import *; from pathlib import Path\n"
        "LlmClient(LlmEndpoint('http://localhost:8000/v1', 'm'), Path('x'))\n"
        "print('openai' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.stdout.strip() == "False", done.stderr
