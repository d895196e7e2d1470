"""The files that ship with the package are found in a checkout and in an installation."""

import pytest

from qsp_bayes.data import data_folder, files
from qsp_bayes.errors import DataError


def test_a_checkout_holds_them_at_its_top_level():
    folder = data_folder("datasets")
    assert (folder.parent / "pyproject.toml").is_file() or folder.parent.name == "_files"
    assert (folder / "theophylline.csv").is_file()


def test_an_installation_holds_them_inside_the_package(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "qsp_bayes" / "_files" / "priors"
    installed.mkdir(parents=True)
    monkeypatch.setattr(files.resources, "files", lambda name: tmp_path / "site-packages" / name)
    assert data_folder("priors") == installed


def test_an_unrelated_folder_beside_the_package_is_not_taken(tmp_path, monkeypatch):
    (tmp_path / "datasets").mkdir()
    monkeypatch.setattr(files.resources, "files", lambda name: tmp_path / name)
    with pytest.raises(DataError, match="the folder 'datasets' that ships with qsp_bayes is not there"):
        data_folder("datasets")
