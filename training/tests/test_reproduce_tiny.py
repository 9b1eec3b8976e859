"""``reproduce world2act --preset tiny``: every step for real, small; then nothing is left to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from training.cli import main
from training.recipes.pipeline.records import Records
from training.tests.synthetic_run import TEXT_ENCODER


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_demonstrations_to_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "reproduce",
        "world2act",
        "--preset",
        "tiny",
        "--out",
        str(tmp_path),
        "--text-encoder",
        str(TEXT_ENCODER),
    ]
    assert main(command) == 0, capsys.readouterr().err
    first = capsys.readouterr().out
    assert "[1/" in first and "failed" not in first

    report = json.loads((tmp_path / "evidence/world2act.json").read_text())
    claims = {claim["claim"]: claim for claim in report["claims"]}
    unmeasured = {name for name, claim in claims.items() if claim["n"] == 0}
    fused = Records(tmp_path).read("measure-latency")
    assert unmeasured == (set() if fused else {"the residual adds at most 10 % latency"})
    # So few episodes tell nothing about success, and the report does not pretend that they do.
    paired = [claim for claim in report["claims"] if claim["unit"].startswith(("difference", "rise", "success"))]
    assert len(paired) > 20 and {claim["verdict"] for claim in paired} == {"cannot tell"}
    assert len({arm["weights"]["sha256"] for arm in report["arms"].values()}) >= 10

    page = (tmp_path / "report/index.html").read_text()
    media = set(re.findall(r'src="([^"]+)"', page))
    assert all((tmp_path / "report" / file).stat().st_size > 0 for file in media)
    assert {Path(file).suffix for file in media} == {".png", ".mp4"} and any("imagined" in file for file in media)
    assert {"media/imagination.png", "media/imagination-strip-000.png"} <= media
    assert any("world2act-v1-composite" in file for file in media) and "train-lora" in page

    assert main(command) == 0
    again = capsys.readouterr().out
    lines = [line for line in again.splitlines() if re.match(r"\[\d+/\d+\]", line)]
    assert len(lines) > 40 and all("finished already" in line or "left out" in line for line in lines)
    assert main([*command, "--list"]) == 0
    assert " about 0 s left" in capsys.readouterr().out
