"""Quantities derived from clearances and volumes: half-life, Vss, AUC, MRT, accumulation, intrinsic clearance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from pytensor.graph.traversal import ancestors

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import PERIPHERALS, disposition
from qsp_bayes.models.elimination import PROCESSES
from qsp_bayes.systems import System
from qsp_bayes.systems.notation import Text, names_of, write
from qsp_bayes.units import Units


def derived(
    system: System,
    params: Mapping[str, Any],
    *,
    prefix: str = "",
    dose: float | None = None,
    interval: float | None = None,
) -> xr.Dataset:
    r"""Derive the quantities that describe the disposition of a drug, draw by draw.

    With volumes :math:`V = (V_c, V_p, V_{p2})` and clearances :math:`q = (Q, Q_2)`, the time constants of the
    disposition are the eigenvalues of the symmetric matrix

    .. math:: T = V^{1/2} \left(\frac{1}{CL} 1 1^T + \mathrm{diag}(0, 1/Q, 1/Q_2)\right) V^{1/2},

    the inverse of the rate matrix; the largest is that of the terminal phase, :math:`1 / \lambda_z`. With one
    compartment it is :math:`V_c / CL`.

    ============= =============================================== ==================
    kel           :math:`CL / V_c`                                1/time
    half_life     :math:`\ln 2 / \lambda_z`, terminal             time
    Vss           sum of the volumes                              volume
    MRT           :math:`V_{ss} / CL`, after a bolus into central time
    AUC           :math:`F\,dose / CL`, if `dose` is given        amount time/volume
    accumulation  :math:`1 / (1 - e^{-\lambda_z \tau})`,          1
                  if the `interval` :math:`\tau` is given
    ============= =============================================== ==================

    The half-life is that of the disposition: where absorption is slower than elimination (flip-flop),
    concentrations fall more slowly.

    Where elimination is saturable, MRT, AUC and accumulation depend on the dose and are not given. At
    concentrations far below Km it is linear with the intrinsic clearance, which stands for CL in the half-life
    (added to CL where both are parallel):

    ============= ================================================== ===========
    half_life     terminal, where :math:`C_c \ll K_m`                time
    Vss           sum of the volumes                                 volume
    CLint         :math:`V_{max} / K_m`                              volume/time
    time_to_halve :math:`V_c / V_{max} \, (K_m \ln 2 + C_0 / 2)`,    time
                  from :math:`C_0 = dose / V_c`, if the `dose` of an
                  intravenous bolus is given; one compartment without
                  parallel linear elimination
    ============= ================================================== ===========

    Parameters
    ----------
    system : System
        A model of `qsp_bayes.models.compartments`, or one with the same disposition.
    params : mapping of str to array, such as a posterior Dataset
        The parameters of the system by name. They are broadcast against each other.
    prefix : str
        What stands before the names in `params`: ``"TV"`` for typical values.
    dose : float, optional
        In the amount unit of the system.
    interval : float, optional
        In the time unit of the system.

    Returns
    -------
    xarray.Dataset
        With the dims of `params`, and attributes `units` and `long_name`.

    Raises
    ------
    MechanismError
        For a system with another disposition, a parameter that is missing in `params`, or a dose or interval
        where elimination is saturable and what depends on it has no closed form.

    References
    ----------
    Gibaldi M, Perrier D (1982). Pharmacokinetics, 2nd ed., for saturable elimination chapter 7.

    Examples
    --------
    >>> from qsp_bayes.models import one_compartment
    >>> values = derived(one_compartment(), {"CL": 2.0, "Vc": 20.0}, dose=100)
    >>> float(values.half_life.round(3)), values.half_life.units, float(values.AUC), values.AUC.units
    (6.931, 'h', 50.0, 'mg*h/L')
    >>> saturable = one_compartment(elimination="saturable")
    >>> values = derived(saturable, {"Vmax": 10.0, "Km": 5.0, "Vc": 20.0}, dose=200)
    >>> float(values.CLint), float(values.half_life.round(2)), float(values.time_to_halve.round(2))
    (2.0, 6.93, 16.93)
    """
    peripherals = [row for row in PERIPHERALS if row[1] in system.states]
    elimination = require_disposition(system, 1 + len(peripherals))
    if elimination != "linear":
        require_closed_form(system, elimination, dose, interval)

    def value(name: str) -> xr.DataArray:
        if prefix + name not in params:
            raise MechanismError(f"derived needs {prefix + name!r}; there is {', '.join(map(str, params))}.")
        return xr.DataArray(params[prefix + name])

    if elimination == "linear":
        clearance = value("CL")
    else:
        intrinsic = value("Vmax") / value("Km")
        clearance = intrinsic if elimination == "saturable" else value("CL") + intrinsic
    volumes = [value("Vc"), *(value(volume) for _, _, _, volume in peripherals)]
    flows = [value(flow) for _, _, flow, _ in peripherals]
    time_constant = xr.apply_ufunc(terminal_time_constant, clearance, *volumes, *flows)
    volume_total = sum(volumes[1:], volumes[0])
    time, volume, amount = system.time_unit, system.units()["Vc"], system.states["central"]
    half_life = np.log(2) * time_constant
    steady_volume = (volume_total, volume, "volume of distribution at steady state")
    if elimination == "linear":
        found = {
            "kel": (clearance / volumes[0], f"1/{time}", "elimination rate constant"),
            "half_life": (half_life, time, "terminal half-life"),
            "Vss": steady_volume,
            "MRT": (volume_total / clearance, time, "mean residence time after an intravenous bolus"),
        }
        if dose is not None:
            absorbed = value("F") * dose if "F" in system.units() else dose
            unit = f"{amount}*{time}/{volume}"
            title = f"area under the concentration after {dose:g} {amount}"
            found["AUC"] = (absorbed / clearance, unit, title)
        if interval is not None:
            ratio = -1 / np.expm1(-interval / time_constant)
            found["accumulation"] = (ratio, "", f"accumulation ratio, a dose every {interval:g} {time}")
    else:
        found = {
            "half_life": (half_life, time, "terminal half-life, at concentrations far below Km"),
            "Vss": steady_volume,
            "CLint": (intrinsic, f"{volume}/{time}", "intrinsic clearance"),
        }
        if dose is not None:
            halving = (value("Km") * volumes[0] * np.log(2) + dose / 2) / value("Vmax")
            title = f"time until half of an intravenous bolus of {dose:g} {amount} is left"
            found["time_to_halve"] = (halving, time, title)
    return xr.Dataset(
        {
            name: array.assign_attrs(units=unit, long_name=title)
            for name, (array, unit, title) in found.items()
        }
    )


def terminal_time_constant(clearance: Any, *volumes_and_flows: Any) -> Any:
    """Return the largest time constant of a mammillary disposition: the largest eigenvalue of T."""
    number = (len(volumes_and_flows) + 1) // 2
    arrays = np.broadcast_arrays(clearance, *volumes_and_flows)
    clearance, volumes, flows = arrays[0], np.stack(arrays[1 : number + 1], -1), arrays[number + 1 :]
    resistance = np.zeros((*clearance.shape, number, number)) + 1 / clearance[..., None, None]
    for i, flow in enumerate(flows, start=1):
        resistance[..., i, i] += 1 / flow
    root = np.sqrt(volumes)
    return np.linalg.eigvalsh(root[..., :, None] * resistance * root[..., None, :])[..., -1]


def require_disposition(system: System, number: int) -> str:
    """Return the kind of elimination, raising unless the system disposes of the drug as `disposition` does."""
    names = {process.name for process in system.processes}
    found = rates_as_text(system)
    present = tuple(process for process in PROCESSES["parallel"] if process.name in names)
    elimination = next((kind for kind, known in PROCESSES.items() if known == present), "linear")
    reference = disposition(number, Units(), elimination)
    expected = rates_as_text(reference)
    for name, rate in expected.items():
        if found.get(name) != rate:
            raise MechanismError(
                f"derived quantities are those of linear or saturable compartments: process {name!r} has the rate "
                f"`{found.get(name, 'none')}`, expected `{rate}`. Derive others from a simulation."
            )
    graphs = system.symbolic()
    drug = {graphs.states[name] for name in reference.states}
    for process in system.processes:
        changed = reference.states.keys() & process.stoichiometry
        if process.name not in expected and changed and drug & set(ancestors([graphs.rates[process.name]])):
            raise MechanismError(
                f"derived quantities are those of compartments alone: process {process.name!r} also changes "
                f"{' and '.join(sorted(changed))}, depending on the drug there. Derive others from a simulation."
            )
    return elimination


def require_closed_form(system: System, elimination: str, dose: float | None, interval: float | None) -> None:
    """Raise where elimination is saturable and a dose is asked about that only a simulation answers."""
    if interval is not None:
        raise MechanismError(
            "accumulation depends on the dose where elimination is saturable. Derive it from a simulation."
        )
    if dose is not None and (elimination == "parallel" or "peripheral1" in system.states):
        raise MechanismError(
            f"derived knows no closed form for the course of a dose in {system.name!r} with {elimination} "
            "elimination. Derive it from a simulation, or leave `dose` out."
        )


def rates_as_text(system: System) -> dict[str, str]:
    """Write the rate of each process, in full."""
    graphs = system.symbolic()
    names = {variable: name for variable, name in names_of(graphs).items() if name not in system.outputs}
    return {name: write(rate, names, Text()) for name, rate in graphs.rates.items()}
