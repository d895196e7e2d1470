"""The project's own files agree with each other."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

import qsp_bayes

PROJECT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
MEBIBYTE = 2**20


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def tracked_files() -> list[Path]:
    try:
        listing = subprocess.run(
            ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listing.splitlines() if (path := PROJECT / name).is_file()]


def third_party_imports() -> set[str]:
    names = set()
    for path in (PROJECT / "qsp_bayes").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"qsp_bayes"}


def test_versions_agree():
    version = PYPROJECT["project"]["version"]
    assert qsp_bayes.__version__ == importlib.metadata.version("qsp-bayes") == version
    assert re.search(rf"^## .*\b{re.escape(version)}\b", read("CHANGELOG.md"), flags=re.MULTILINE)


def test_python_versions_agree():
    assert PYPROJECT["project"]["requires-python"] == f">={read('.python-version').strip()}"


def test_make_commands_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    named = set(
        re.findall(
            r"\bmake ([a-z][a-z-]*)", " ".join(re.findall(r"`[^`]+`|```.*?```", read("README.md"), re.S))
        )
    )
    assert {"demo", "test"} <= named <= targets


def test_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", read("README.md"))
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_every_import_is_a_declared_dependency():
    project = PYPROJECT["project"]
    requirements = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}
    distributions = importlib.metadata.packages_distributions()
    undeclared = {
        name
        for name in third_party_imports()
        if declared.isdisjoint(distribution.lower() for distribution in distributions.get(name, [name]))
    }
    assert undeclared == set()


def test_no_file_is_large():
    assert [path.name for path in tracked_files() if path.stat().st_size > MEBIBYTE] == []


def test_the_licence_is_apache():
    assert "Apache License" in read("LICENSE")
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
