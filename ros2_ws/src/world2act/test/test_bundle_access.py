"""What the nodes read of a bundle without loading it: only what its manifest vouches for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import world2act
from world2act.bundle_access import read_contract
from world2act.errors import ConfigurationError
from world2act_core.tabletop import tabletop_contract

BUNDLE = Path(world2act.__file__).parents[4] / "models" / "tabletop-nano"


@pytest.mark.skipif(not BUNDLE.is_dir(), reason="installed without the repository")
def test_a_contract_is_read_only_as_it_was_exported(tmp_path: Path) -> None:
    for name in ("manifest.yaml", "contract.yaml"):
        shutil.copyfile(BUNDLE / name, tmp_path / name)
    text = (tmp_path / "contract.yaml").read_text()
    assert read_contract(str(tmp_path)).robot == "Panda"
    assert "0.05" in text, "this test raises the contract's largest step"
    (tmp_path / "contract.yaml").write_text(text.replace("0.05", "0.95"))
    with pytest.raises(ConfigurationError, match=r"contract\.yaml was changed or damaged: expected sha256"):
        read_contract(str(tmp_path))
    (tmp_path / "manifest.yaml").write_text("name: [")
    with pytest.raises(ConfigurationError, match=r"cannot read .*manifest\.yaml"):
        read_contract(str(tmp_path))


def test_a_folder_without_a_manifest_has_nothing_to_compare_with(tmp_path: Path) -> None:
    tabletop_contract().to_yaml(tmp_path / "contract.yaml")
    assert read_contract(str(tmp_path)) == tabletop_contract()
    with pytest.raises(ConfigurationError, match="there is no bundle folder"):
        read_contract(str(tmp_path / "none"))
