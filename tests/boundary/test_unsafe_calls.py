"""Nothing that a file or a network peer says is ever executed, and nothing listens to other machines by default."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    *sorted((ROOT / "ros2_ws/src").glob("*/world2act*/**/*.py")),
    *(path for path in sorted((ROOT / "training").rglob("*.py")) if "tests" not in path.parts),
    *sorted((ROOT / "launch").glob("*.py")),
    *sorted((ROOT / ".ci").glob("*.py")),
]
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
"""They run code from the file they read."""
CALLS = {
    "eval": "executes text",
    "exec": "executes text",
    "os.system": "gives text to a shell",
    "os.popen": "gives text to a shell",
    "subprocess.getoutput": "gives text to a shell",
    "yaml.load": "use yaml.safe_load",
    "yaml.load_all": "use yaml.safe_load_all",
    "yaml.full_load": "use yaml.safe_load",
    "yaml.unsafe_load": "use yaml.safe_load",
    "tempfile.mktemp": "somebody else may make that file first: use mkstemp",
}
KEYWORDS = {"shell": True, "allow_pickle": True, "trust_remote_code": True, "weights_only": False, "verify": False}
"""Arguments that switch a protection off."""
EVERYBODY = ("0.0.0.0", "::")
"""Addresses that mean: whoever can reach this machine."""


def dotted(node: ast.expr) -> str:
    """`os.path.join` of a call's function; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def problems(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and reason of everything that must not be there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from ((node.lineno, f"imports {name}") for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, text) for text in call_problems(node))
        elif isinstance(node, ast.Constant) and node.value in EVERYBODY:
            yield node.lineno, f"listens to everybody ({node.value!r}): use 127.0.0.1 unless a person asks for more"


def call_problems(node: ast.Call) -> Iterator[str]:
    name = dotted(node.func)
    given = {item.arg: item.value for item in node.keywords}
    if name in CALLS:
        yield f"{name}: {CALLS[name]}"
    if name == "torch.load" and "weights_only" not in given:
        yield "torch.load without weights_only=True"
    for item in node.args:
        if isinstance(item, ast.Tuple) and len(item.elts) == 2 and getattr(item.elts[0], "value", None) == "":
            yield f"{name}: an address without a host listens to everybody"
    for keyword, value in KEYWORDS.items():
        argument = given.get(keyword)
        if isinstance(argument, ast.Constant) and argument.value is value:
            yield f"{name}({keyword}={value})"


@pytest.mark.parametrize("folder", ["world2act_core", "world2act_sim", "world2act", "training", "launch", ".ci"])
def test_there_is_nothing_unsafe(folder: str) -> None:
    files = [path for path in SOURCES if folder in path.relative_to(ROOT).parts]
    assert files, f"no sources in {folder}: is the path in this test still right?"
    found = [
        f"{path.relative_to(ROOT)}:{line}: {reason}"
        for path in files
        for line, reason in problems(ast.parse(path.read_text()))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from joblib import load", "eval(text)", "exec(text)", "os.system(text)", "yaml.load(f)",
        "yaml.load(f, Loader=yaml.SafeLoader)", "torch.load(f)", "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)", "subprocess.run(text, shell=True)", "serve('0.0.0.0')",
        "HTTPServer(('', 80), Handler)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_check_sees(code: str) -> None:
    assert list(problems(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    ["model.eval()", "yaml.safe_load(f)", "torch.load(f, weights_only=True)", "np.load(f)", "re.compile(p)", "a[::2]"],
)
def test_the_check_does_not_cry_wolf(code: str) -> None:
    assert not list(problems(ast.parse(code)))
