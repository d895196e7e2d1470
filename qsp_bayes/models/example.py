"""Example: an entry of the library with numbers to try it with, and what to know before it is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.systems import System


@dataclass(frozen=True)
class Example:
    """One entry of the library of mechanisms, as the gallery shows it.

    Parameters
    ----------
    system : System
    parameters : mapping of str to float
        Values to try it with.
    until : float
        End of the time axis, in the unit of the system.
    shows : sequence of str
        Outputs to look at.
    regimen : Regimen, optional
        Doses; none where left out.
    inputs : mapping of str to float
        Values of inputs that no other system gives.
    holds : str
        The conditions under which the mechanism holds, in a sentence.
    identifiability : str
        What a fit can and cannot tell, in a sentence.
    reference : str
        The publication.
    log : bool
        Whether a logarithmic axis shows it better.

    Examples
    --------
    >>> from qsp_bayes.models import one_compartment
    >>> example = Example(
    ...     one_compartment(), {"CL": 1.0, "Vc": 10.0}, until=24, shows=["Cc"],
    ...     regimen=Regimen(100, unit="mg", into="central"),
    ... )
    >>> float(example.course(number=25).Cc[-1].round(3))
    0.907
    """

    system: System
    parameters: Mapping[str, float]
    until: float
    shows: Sequence[str]
    regimen: Regimen | None = None
    inputs: Mapping[str, float] = field(default_factory=dict)
    holds: str = ""
    identifiability: str = ""
    reference: str = ""
    log: bool = False

    def course(self, number: int = 200) -> xr.Dataset:
        """Return what it shows at so many times from 0 on."""
        times = np.linspace(0, self.until, number)
        return self.system.course(
            self.parameters, times, self.regimen, outputs=self.shows, inputs=self.inputs
        )
