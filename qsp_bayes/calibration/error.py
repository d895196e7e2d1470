"""Error models: how observations differ from the outputs of the system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.calibration.variables import Variables
from qsp_bayes.errors import CalibrationError


@dataclass(frozen=True)
class Noise:
    """The law of observations around predictions: a PyMC distribution and its parameters."""

    distribution: type
    parameters: dict[str, Any]

    def observe(self, name: str, **keywords: Any) -> TensorVariable:
        """Create the observed variable in the current model."""
        return self.distribution(name, **self.parameters, **keywords)

    def draw(self, **keywords: Any) -> TensorVariable:
        """Give an unregistered random variable."""
        return self.distribution.dist(**self.parameters, **keywords)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Additive:
    r"""Additive error: :math:`y = f + \sigma_\mathrm{add}\,\epsilon`, :math:`\epsilon \sim N(0, 1)`.

    Variable: ``sigma_add_<output>``, in the unit of the output.

    Examples
    --------
    >>> print(Additive())
    additive
    """

    needs_positive: ClassVar[bool] = False

    def variables(self, output: str, unit: str) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return {f"sigma_add_{output}": unit}

    def noise(self, output: str, prediction: TensorVariable, variables: Variables) -> Noise:
        """Give the law of the observations, its variables being created in the current model."""
        return Noise(pm.Normal, {"mu": prediction, "sigma": variables(f"sigma_add_{output}")})

    def __str__(self) -> str:
        return "additive"


@dataclass(frozen=True)
class Proportional:
    r"""Proportional error: :math:`y = f\,(1 + \sigma_\mathrm{prop}\,\epsilon)`, :math:`\epsilon \sim N(0, 1)`.

    Variable: ``sigma_prop_<output>``, without unit. Predictions must not be zero.

    Examples
    --------
    >>> Proportional().variables("Cc", "mg/L")
    {'sigma_prop_Cc': ''}
    """

    needs_positive: ClassVar[bool] = True

    def variables(self, output: str, unit: str) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return {f"sigma_prop_{output}": ""}

    def noise(self, output: str, prediction: TensorVariable, variables: Variables) -> Noise:
        """Give the law of the observations, its variables being created in the current model."""
        return Noise(
            pm.Normal, {"mu": prediction, "sigma": pt.abs(prediction) * variables(f"sigma_prop_{output}")}
        )

    def __str__(self) -> str:
        return "proportional"


@dataclass(frozen=True)
class Combined:
    r"""Additive and proportional error together: their variances add.

    .. math:: y = f + \sqrt{\sigma_\mathrm{add}^2 + (\sigma_\mathrm{prop} f)^2}\,\epsilon, \qquad \epsilon \sim N(0, 1)

    Variables: ``sigma_add_<output>`` in the unit of the output, ``sigma_prop_<output>`` without unit.

    Examples
    --------
    >>> Combined().variables("Cc", "mg/L")
    {'sigma_add_Cc': 'mg/L', 'sigma_prop_Cc': ''}
    """

    needs_positive: ClassVar[bool] = False

    def variables(self, output: str, unit: str) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return {f"sigma_add_{output}": unit, f"sigma_prop_{output}": ""}

    def noise(self, output: str, prediction: TensorVariable, variables: Variables) -> Noise:
        """Give the law of the observations, its variables being created in the current model."""
        additive, proportional = variables(f"sigma_add_{output}"), variables(f"sigma_prop_{output}")
        variance = pt.sqr(additive) + pt.sqr(proportional * prediction)
        return Noise(pm.Normal, {"mu": prediction, "sigma": pt.sqrt(variance)})

    def __str__(self) -> str:
        return "combined (additive and proportional)"


@dataclass(frozen=True)
class LogNormal:
    r"""Log-normal error: :math:`\log y = \log f + \sigma_\mathrm{log}\,\epsilon`, :math:`\epsilon \sim N(0, 1)`.

    Variable: ``sigma_log_<output>``, without unit. Observations and predictions must be positive; the prediction is
    the median of the observations.

    Examples
    --------
    >>> LogNormal().variables("Cc", "mg/L")
    {'sigma_log_Cc': ''}
    """

    needs_positive: ClassVar[bool] = True

    def variables(self, output: str, unit: str) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return {f"sigma_log_{output}": ""}

    def noise(self, output: str, prediction: TensorVariable, variables: Variables) -> Noise:
        """Give the law of the observations, its variables being created in the current model."""
        return Noise(pm.LogNormal, {"mu": pt.log(prediction), "sigma": variables(f"sigma_log_{output}")})

    def __str__(self) -> str:
        return "log-normal"


@dataclass(frozen=True)
class StudentT:
    r"""Student-t error: heavy tails, so that outlying observations pull less.

    .. math:: y = f + s(f)\,\epsilon, \qquad \epsilon \sim t_\nu

    where s is the standard deviation of the error model it takes over; the scale of the t distribution, so that its own
    standard deviation is :math:`s \sqrt{\nu / (\nu - 2)}`. Variables: those of that model and ``nu_<output>``.

    Parameters
    ----------
    scale : Additive, Proportional or Combined
        What the size of the error depends on.

    Examples
    --------
    >>> StudentT(Combined()).variables("Cc", "mg/L")
    {'sigma_add_Cc': 'mg/L', 'sigma_prop_Cc': '', 'nu_Cc': ''}
    """

    scale: Additive | Proportional | Combined = field(default_factory=Combined)

    def __post_init__(self) -> None:
        if not isinstance(self.scale, Additive | Proportional | Combined):
            raise CalibrationError(
                f"StudentT takes Additive(), Proportional() or Combined(); got {self.scale!r}."
            )

    @property
    def needs_positive(self) -> bool:
        """Whether predictions must be positive."""
        return self.scale.needs_positive

    def variables(self, output: str, unit: str) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return {**self.scale.variables(output, unit), f"nu_{output}": ""}

    def noise(self, output: str, prediction: TensorVariable, variables: Variables) -> Noise:
        """Give the law of the observations, its variables being created in the current model."""
        normal = self.scale.noise(output, prediction, variables)
        return Noise(pm.StudentT, {**normal.parameters, "nu": variables(f"nu_{output}")})

    def __str__(self) -> str:
        return f"Student-t, {self.scale}"
