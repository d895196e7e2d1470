"""The order of the layers: an import may only point down, and `data` and `ode` do not know each other."""

import ast
from pathlib import Path

import pytest

import qsp_bayes

PACKAGE = Path(qsp_bayes.__file__).parent

# From the bottom up. Layers on one line do not know each other. `__init__` is what users import; the demo
# and the command line are users.
ORDER = (
    {"errors"},
    {"formatting"},
    {"result"},
    {"units"},
    {"ode", "data"},
    {"systems"},
    {"physiology"},
    {"models"},
    {"structural"},
    {"calibration"},
    {"identifiability"},
    {"decision"},
    {"report"},
    {"__init__"},
    {"demo"},
    {"cli"},
)
# A part of a folder that is a layer of its own: structural identifiability knows no calibration.
WITHIN = {("identifiability", "structural"): "structural"}
RANK = {layer: rank for rank, layers in enumerate(ORDER) for layer in layers}


def imported_names(source: str, module: str) -> list[str]:
    """Absolute dotted names that a module imports anywhere, its functions included."""
    package = module.split(".")[:-1]
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{origin}.{alias.name}" for alias in node.names]
    return names


def layer_of(parts: list[str]) -> str:
    """The layer of a module, given the parts of its name below ``qsp_bayes``."""
    return WITHIN.get(tuple(parts[:2]), parts[0] if parts and parts[0] in RANK else "__init__")


def violations(source: str, module: str) -> list[str]:
    """Imports of a module, such as ``qsp_bayes.ode.linear``, that the order of the layers forbids."""
    layer = layer_of(module.split(".")[1:])
    found = []
    for name in imported_names(source, module):
        root, *rest = name.split(".")
        if root == "pymc" and layer in ("errors", "formatting", "result", "units", "ode"):
            found.append(f"{module} imports {name}: the solver knows no PyMC")
        if root != "qsp_bayes":
            continue
        target = layer_of(rest)
        if target != layer and RANK[target] >= RANK[layer]:
            found.append(f"{module} imports {name}: {target} is not below {layer}")
    return found


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_files" not in path.parts)


def dotted(path: Path) -> str:
    return ".".join(("qsp_bayes", *path.relative_to(PACKAGE).with_suffix("").parts))


def test_every_module_belongs_to_a_layer():
    assert {dotted(path).split(".")[1] for path in modules()} <= set(RANK)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_point_down(path):
    assert violations(path.read_text(encoding="utf-8"), dotted(path)) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("qsp_bayes.ode.linear", "from qsp_bayes.data.events import Events"),
        ("qsp_bayes.data.study", "import qsp_bayes.ode.linear"),
        ("qsp_bayes.ode.operation", "from ..systems import System"),
        ("qsp_bayes.ode.operation", "def solve():\n    import pymc as pm"),
        ("qsp_bayes.systems.system", "from qsp_bayes import calibration"),
        ("qsp_bayes.models.compartments", "from qsp_bayes import System"),
        ("qsp_bayes.errors", "from . import units"),
        ("qsp_bayes.calibration.fit", "from qsp_bayes.identifiability import contraction"),
        ("qsp_bayes.identifiability.structural.result", "from qsp_bayes.calibration import Calibration"),
        ("qsp_bayes.__init__", "from qsp_bayes.cli import main"),
    ],
)
def test_an_import_that_points_up_is_caught(module, source):
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("qsp_bayes.systems.solve", "from qsp_bayes.ode import linear\nfrom ..data.events import Events"),
        ("qsp_bayes.ode.linear", "from . import kernels\nimport numpy as np"),
        ("qsp_bayes.report.figures", "from qsp_bayes.units import Units"),
        ("qsp_bayes.__init__", "from qsp_bayes.report import report"),
        ("qsp_bayes.cli.main", "import qsp_bayes.demo"),
        ("qsp_bayes.calibration.fit", "from qsp_bayes.identifiability.structural import Experiment"),
    ],
)
def test_an_import_that_points_down_is_allowed(module, source):
    assert violations(source, module) == []
