"""Species: how far a species lies from the line that body size and binding draw through all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from qsp_bayes.calibration.design import Design, Term
from qsp_bayes.calibration.scales import SCALES
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError
from qsp_bayes.systems.system import System

DIM = "species"


@dataclass(frozen=True, init=False)
class Species:
    r"""A random effect of the species on parameters, shared by all individuals of one species.

    With g the parameter's scale (the logarithm, for clearances and volumes) and s the species of individual i:

    .. math:: g(\theta_i) = g(\mathrm{TV}\theta) + b \log(W_i / W_\mathrm{ref}) + \ldots
              + \omega_{\mathrm{species},\theta}\,\eta_{\mathrm{species},\theta,s(i)} + \omega_\theta\,\eta_{\theta i},
              \qquad \eta_{\mathrm{species},\theta,s} \sim N(0, 1)

    Size explains what it can by `Allometry`; what is left of the differences between species is this effect.
    Variables: ``omega_species_CL`` (standard deviation on the parameter's scale) and ``eta_species_CL`` (dim
    ``species``, one entry for each code, non-centred). Species are a property of the population: a simulated human
    receives *the* human effect of each draw, the same for all humans. A species without data, as humans before the
    first study, has the effect that its prior gives it at each draw of ``omega_species_CL``; `Calibration.simulate`
    for such subjects therefore carries the whole uncertainty of the step to them, and no special case is needed.

    Parameters
    ----------
    covariate : str
        Covariate of the study that holds the code of the species, constant within a subject.
    on : str or sequence of str
        Parameters of the system.
    codes : mapping of str to float
        Code of each species, those without data included.

    Raises
    ------
    CalibrationError
        For fewer than two species, a code given twice, or no parameters; at build for a code of the study that is not
        among `codes`, and for a code that changes within a subject.

    Notes
    -----
    Together with size this is hierarchical cross-species calibration:

    - ``Allometry("WT", CL="estimated", Vc="estimated", reference=70)``: the exponents are learned, from their priors
      (``e_wt_cl``, ``e_wt_vc``). With the reference at the human weight, ``TVCL`` is the clearance at which the line
      passes through humans, and a typical human has :math:`\mathrm{TVCL}\,e^{\omega\eta}`;
    - ``Allometry("FU", CL=1, reference=1, unit="")``: FU, the unbound fraction in plasma of the species, multiplies the
      clearance, so that it is the unbound clearance that follows size;
    - ``Allometry("BRW", CL=-1, reference=1.53)``: the product of clearance and brain weight follows size; with
      ``"MLP"`` and ``unit="year"`` the product of clearance and maximum life-span potential does. The exponent
      ``e_wt_cl`` is then that of the product, larger by the one of the factor itself (about 0.9 for brain weight, 0.2
      for life span, from mouse to dog), and so must its prior be.

    A handful of species says little of ``omega_species_CL``: its prior decides how wide the prediction for a new
    species is. HalfNormal(0.3) puts most species within a factor of two of the line.

    References
    ----------
    Boxenbaum H (1982) J Pharmacokinet Biopharm 10:201-227 (allometry between species and its corrections). Hu TM,
    Hayton WL (2001) AAPS PharmSci 3:E29 (how exponents vary). Gelman A, Hill J (2007) Data Analysis Using Regression
    and Multilevel/Hierarchical Models, chapter 12.

    Examples
    --------
    >>> print(Species("SPECIES", on=("CL", "Vc"), codes={"rat": 2, "dog": 3, "human": 4}))
    SPECIES (rat 2, dog 3, human 4), random effect on CL, Vc
    """

    order: ClassVar[int] = 0
    covariate: str
    parameters: tuple[str, ...]
    codes: Mapping[str, float]

    def __init__(self, covariate: str, *, on: str | Sequence[str], codes: Mapping[str, float]) -> None:
        parameters = (on,) if isinstance(on, str) else tuple(on)
        if not parameters or len(set(parameters)) != len(parameters):
            raise CalibrationError(f"Species({covariate!r}): on needs different parameters; got {on!r}.")
        known = {str(name): float(code) for name, code in codes.items()}
        if len(known) < 2 or len(set(known.values())) != len(known):
            raise CalibrationError(
                f"Species({covariate!r}): give at least two species, each with a code of its own, such as "
                f"codes={{'rat': 1, 'human': 2}}; got {dict(codes)}."
            )
        object.__setattr__(self, "covariate", covariate)
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "codes", MappingProxyType(known))

    def variables(self, system: System) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return {
            f"omega_species_{name}": SCALES[system.scales[name]].unit_of_effects(system.parameters[name])
            for name in self.parameters
        }

    def apply(self, predictors: Mapping[str, Term], design: Design) -> dict[str, Term]:
        """Add the effects of the species to the predictors of the parameters."""
        self.of_subjects(design.study)
        code = design.covariate(self.covariate)
        pm.modelcontext(None).add_coords({DIM: tuple(self.codes)})
        member = pt.eq(code.value[:, None], np.array(list(self.codes.values()))).astype("float64")
        changed = {}
        for name in self.parameters:
            eta = pm.Normal(f"eta_species_{name}", dims=DIM)
            effect = pt.dot(member, design.variables(f"omega_species_{name}") * eta)
            changed[name] = design.add(predictors[name], Term(effect, "subject"))
        return {**predictors, **changed}

    def of_subjects(self, study: Study) -> np.ndarray:
        """Name the species of each subject of a study.

        Raises
        ------
        CalibrationError
            For a code that is not known, or that changes within a subject.
        """
        by_record = study.covariate_by_record(self.covariate)
        unknown = sorted(set(by_record.tolist()) - set(self.codes.values()))
        if unknown:
            raise CalibrationError(
                f"{self.covariate}: the study has the code {', '.join(f'{code:g}' for code in unknown)}, which stands "
                f"for no species. Known are {self.listed}; add it to codes={{...}}."
            )
        first = np.flatnonzero(np.diff(study.subject_index, prepend=-1))
        changes = by_record != by_record[first][study.subject_index]
        if changes.any():
            subject = study.table["ID"].iloc[int(np.argmax(changes))]
            raise CalibrationError(
                f"{self.covariate} of subject {subject} changes in time: a subject is of one species. "
                "Correct the column."
            )
        names = {code: name for name, code in self.codes.items()}
        return np.array([names[code] for code in by_record[first].tolist()])

    @property
    def listed(self) -> str:
        """The species with their codes, in words."""
        return ", ".join(f"{name} {code:g}" for name, code in self.codes.items())

    def __str__(self) -> str:
        return f"{self.covariate} ({self.listed}), random effect on {', '.join(self.parameters)}"
