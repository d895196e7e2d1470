"""Run the notebooks and store them with their outputs: ``python notebooks/execute.py [NAME ...]``."""

import base64
import io
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent


def execute(path: Path) -> None:
    """Run one notebook in an empty folder, so that the files it writes stay out of the project."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # the times of day at which cells ran
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = lighten(output["data"]["image/png"])
    nbformat.write(notebook, path)


def lighten(png: str) -> str:
    """Store a figure in 128 colours, which a drawing does not miss and which halves the notebook."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        buffer = io.BytesIO()
        image.convert("RGB").quantize(128).save(buffer, format="png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.name for path in FOLDER.glob("*.ipynb")):
        print(name, flush=True)
        execute(FOLDER / name)
