"""Every notebook runs from top to bottom, and is committed with its outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Small enough for a test, large enough for every cell to have something to show.
QUICK = {"draws": 100, "tune": 300, "new_subjects": 50}
WITHOUT_FIT = {
    "gallery.ipynb": {"number": 20},
    "09_adaptive_trial.ipynb": {"trials": 2, "particles": 60},
}
# What it runs, the tests of the library's entries run too.
SLOW = {"gallery.ipynb": pytest.mark.slow}


def name_of(path):
    return path.name


def test_there_are_notebooks():
    assert NOTEBOOKS[0].name == "01_first_fit.ipynb"


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=SLOW.get(p.name, ())) for p in NOTEBOOKS], ids=name_of
)
def test_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    quick = WITHOUT_FIT.get(path.name, QUICK)
    assert all(f"{name} = " in parameters.source for name in quick), "the quick values would not be used"
    parameters.source += "".join(f"\n{name} = {value}" for name, value in quick.items())
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebook_is_committed_with_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run from top to bottom"
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "error" not in kinds
    streams = [output.text for cell in code for output in cell.outputs if output.output_type == "stream"]
    assert not any("Warning" in text for text in streams)
    images = [cell for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    assert images, "no figure"
    assert path.stat().st_size < 1_000_000
