"""docs/safety.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from world2act_core.robot.safety_spec import SafetySpec
from world2act_core.safety.checks import CHECKS
from world2act_core.safety.settings import SafetySettings

PAGE = Path(__file__).resolve().parents[5] / "docs/safety.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


def test_every_check_is_in_the_table(page: str) -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (\w+) \| (yes|no) \|$", page, re.M)
    listed = [(name, looks_at, reaction, latched) for name, looks_at, _, reaction, latched in rows]
    assert listed == [
        (spec.name, spec.looks_at, str(spec.reaction), "yes" if spec.latched else "no") for spec in CHECKS
    ]
    fields = {field for _, _, threshold, *_ in rows for field in re.findall(r"`(\w+)`", threshold)}
    assert fields and fields <= set(SafetySettings.model_fields)


def test_every_setting_is_in_the_table(page: str) -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (.+) \|$", page, re.M)
    assert rows == [
        (name, repr(field.default), field.description) for name, field in SafetySettings.model_fields.items()
    ]


def test_the_example_of_a_profile_is_one(page: str) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    spec = SafetySpec.model_validate(yaml.safe_load(example)["safety"])
    assert spec.elbow is not None and spec.reactions["WORKSPACE"].latched


def test_it_says_what_it_is_not(page: str) -> None:
    assert "This is not certified functional safety." in page.split("##")[0]
