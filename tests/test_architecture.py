"""The sentences about packages in design.md: whose they are, who imports whom, how large they get."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ["testbed", "precoding", "drivers", "calibration", "recordings"]
MODULES = sorted(path for name in OURS for path in (ROOT / name).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 350, 60


@pytest.mark.parametrize("name", OURS)
def test_a_package_comes_from_this_checkout(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).parents[1] == ROOT


@pytest.mark.parametrize("name", OURS)
def test_no_other_distribution_owns_our_names(name: str) -> None:
    """Ours itself is named only where it is installed as files; an editable installation is a path."""
    assert set(importlib.metadata.packages_distributions().get(name, [])) <= {"isac-testbed"}


def is_a_checkout(place: Path) -> bool:
    """Whether a folder is another checkout of this project, installed as editable: no stranger."""
    project = place / "pyproject.toml"
    return project.is_file() and tomllib.loads(project.read_text(encoding="utf-8"))["project"]["name"] == "isac-testbed"


@pytest.mark.parametrize("name", OURS)
def test_no_stranger_of_our_name_lies_on_the_path(name: str) -> None:
    """A leftover without a distribution would win wherever a program is started outside the checkout."""
    others = {Path(place).resolve() for place in sys.path if place} - {ROOT}
    others = {place for place in others if not is_a_checkout(place)}
    found = [place / name for place in others if (place / name).is_dir() or (place / f"{name}.py").is_file()]
    assert found == []


def test_tests_are_no_package() -> None:
    """Else they would claim the name `tests` from every project that leaks it."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_imports_keep_to_the_contracts() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    result = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("statement", ["import testbed.cli", "import testbed"])
def test_the_command_line_imports_nothing_heavy(statement: str) -> None:
    heavy = {"numpy", "scipy", "cvxpy", "clarabel", "h5py", "rich", "PySide6", "pyqtgraph"}
    script = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(result.stdout.split())


def test_radios_need_no_solver_and_precoders_no_files() -> None:
    script = "import sys; import {}; print(*sys.modules)"
    for package, foreign in {"drivers": {"cvxpy", "clarabel", "precoding"}, "precoding": {"h5py", "drivers"}}.items():
        command = [sys.executable, "-c", script.format(package)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert foreign.isdisjoint(result.stdout.split()), package


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    too_long = [
        f"{node.name}: {length} lines"
        for node in functions(ast.parse(text))
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert too_long == []
    assert len(text.splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_prints_or_draws_from_the_global_generator(path: Path) -> None:
    """Nothing speaks to the screen behind the console's back, and every random number has a seed."""
    allowed = {"np.random.default_rng", "np.random.Generator"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "print" not in {ast.unparse(call.func) for call in calls}
    assert {name for name in names if re.fullmatch(r"(np|numpy)\.random\.\w+", name)} <= allowed
    assert "np.random.default_rng()" not in {ast.unparse(call) for call in calls}


@pytest.mark.parametrize("name", OURS)
def test_all_names_that_a_package_offers_exist(name: str) -> None:
    package = importlib.import_module(name)
    assert [item for item in getattr(package, "__all__", []) if not hasattr(package, item)] == []


@pytest.mark.parametrize("name", OURS)
def test_errors_have_one_root_and_are_also_builtins(name: str) -> None:
    module = importlib.import_module(f"{name}.errors")
    classes = [getattr(module, item) for item in module.__all__]
    roots = [one for one in classes if one.__bases__ == (Exception,)]
    assert len(roots) == 1
    for one in set(classes) - set(roots):
        assert issubclass(one, roots[0])
        assert any(base.__module__ == "builtins" for base in one.__mro__[1:-3]), f"{one.__name__} is no builtin"


@pytest.mark.parametrize("name", OURS)
def test_the_tree_of_errors_is_drawn_line_by_line(name: str) -> None:
    """One class a line: a formatter that fills paragraphs destroys the drawing."""
    module = importlib.import_module(f"{name}.errors")
    lines = (module.__doc__ or "").splitlines()
    for item in module.__all__:
        assert sum(line.lstrip("├└│─ ").startswith(item) for line in lines) == 1, f"{item} has no line of its own"
