"""SBMLModel: what a file of systems biology holds, the mechanism and the values of its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import frozen
from qsp_bayes.systems.system import System

if TYPE_CHECKING:
    import xarray as xr

    from qsp_bayes.data.regimen import Regimen
    from qsp_bayes.ode.solvers import Solver


@dataclass(frozen=True, eq=False)
class SBMLModel:
    """What `read_sbml` and `read_antimony` return.

    Attributes
    ----------
    system : System
    parameters : mapping of str to float
        Values that the file states; a parameter without one is not among them.
    """

    system: System
    parameters: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", frozen(self.parameters))

    def course(
        self,
        times: Iterable[float],
        regimen: Regimen | None = None,
        *,
        outputs: Sequence[str] | None = None,
        solver: Solver | None = None,
        **changed: float,
    ) -> xr.Dataset:
        """Follow the outputs in time with the values of the file.

        Parameters
        ----------
        times, regimen, outputs, solver
            As for `System.course`.
        **changed : float
            Other values of parameters.

        Raises
        ------
        MechanismError
            For a parameter that does not exist.
        """
        unknown = [name for name in changed if name not in self.system.parameters]
        if unknown:
            raise MechanismError(
                f"{self.system.name!r} has no parameter {', '.join(unknown)}. "
                f"Its parameters are {', '.join(self.system.parameters)}."
            )
        values = {**self.parameters, **changed}
        return self.system.course(values, times, regimen, outputs=outputs, solver=solver)

    def __repr__(self) -> str:
        return f"<SBMLModel {self.system!r}>"

    def _repr_html_(self) -> str:
        return self.system._repr_html_()
