"""Store: results as NetCDF or Zarr, written whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import xarray as xr

from qsp_bayes.errors import CalibrationError


def save_fit(fit: xr.DataTree, path: str | Path) -> Path:
    """Save a fit or a simulation.

    The file is written under a temporary name and then renamed, so that an interruption never leaves half a file.

    Parameters
    ----------
    fit : xarray.DataTree
    path : str or Path
        Ending in ``.nc`` for NetCDF or ``.zarr`` for Zarr. An existing result is replaced.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    CalibrationError
        If the ending is another one, or the folder is not there.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise CalibrationError(f"{path}: the folder {path.parent} is not there. Make it first.")
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        if path.suffix == ".nc":
            fit.to_netcdf(temporary, engine="h5netcdf", encoding=compression(fit))
        elif path.suffix == ".zarr":
            fit.to_zarr(temporary, zarr_format=2, consolidated=True)
        else:
            raise CalibrationError(f"{path}: end the name in .nc (NetCDF) or .zarr (Zarr).")
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)
    return path


def load_fit(path: str | Path) -> xr.DataTree:
    """Load what `save_fit` has saved, into memory.

    Raises
    ------
    CalibrationError
        If there is no such file, or it ends in another name.
    """
    path = Path(path)
    engines = {".nc": "h5netcdf", ".zarr": "zarr"}
    if not path.exists():
        raise CalibrationError(f"{path}: no such file.")
    if path.suffix not in engines:
        raise CalibrationError(f"{path}: expected a name that ends in .nc or .zarr.")
    with xr.open_datatree(path, engine=engines[path.suffix]) as tree:
        return tree.load()


def compression(fit: xr.DataTree) -> dict[str, dict[str, dict[str, object]]]:
    """Compress numbers a little: random draws do not shrink much, masks and constants do."""
    return {
        group.path: {
            str(name): {"zlib": True, "complevel": 1}
            for name, variable in group.data_vars.items()
            if variable.dtype.kind in "iufb" and variable.ndim
        }
        for group in fit.subtree
        if group.data_vars
    }
