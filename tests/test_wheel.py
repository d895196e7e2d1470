"""The wheel holds all that the package needs: it works from another folder, without this checkout."""

import site
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(PROJECT),
    ]
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *build], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_datasets_and_priors_are_in_the_wheel(wheel):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    files = [
        path for folder in ("datasets", "priors") for path in (PROJECT / folder).rglob("*") if path.is_file()
    ]
    assert files
    assert {f"qsp_bayes/_files/{path.relative_to(PROJECT).as_posix()}" for path in files} <= shipped


def test_tables_of_bodies_are_in_the_wheel(wheel):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    tables = list((PROJECT / "qsp_bayes" / "physiology").rglob("*.toml"))
    assert len(tables) == 12
    assert {path.relative_to(PROJECT).as_posix() for path in tables} <= shipped


def test_the_wheel_stays_small(wheel):
    """The code, the tables and the studies; a notebook or a picture that slipped in would show."""
    assert wheel.stat().st_size < 1_500_000


def test_an_installed_wheel_loads_a_dataset_a_prior_file_and_a_body(wheel, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment)
    python = environment / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), *install],
        check=True,
    )
    # The dependencies are the present environment's. A folder named in a .pth file is searched for packages,
    # but its own .pth files are not read: the editable installation of this checkout stays out of sight.
    installed = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (installed / "dependencies.pth").write_text(
        "\n".join([sysconfig.get_path("purelib"), *site.getsitepackages()])
    )
    script = """
import qsp_bayes as qb
print(qb.__file__)
print(qb.load_dataset("theophylline").name)
print(len(qb.load_priors("theophylline")) > 0)
print(qb.load_physiology("rat").body_weight, qb.reference_human(sex="female").body_weight)
print(qb.__version__)
"""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    result = subprocess.run(
        [python, "-I", "-c", script], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    path, name, has_priors, rat, woman, version = result.stdout.split()
    assert Path(path).is_relative_to(installed)
    assert (name, has_priors, rat, woman) == ("theophylline", "True", "0.25", "60.0")
    assert f"-{version}-" in wheel.name
