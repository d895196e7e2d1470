"""Prior: a distribution, its unit, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from scipy.stats import norm

from qsp_bayes.calibration.families import FAMILIES
from qsp_bayes.errors import PriorError
from qsp_bayes.units import parse_unit

SourceKind = Literal["literature", "in vitro", "in vivo", "expert", "assumption"]

# The name of the spread says on which scale it is measured, and that scale is the family.
SPREADS = {"cv": "LogNormal", "sd_log": "LogNormal", "sd_logit": "LogitNormal", "sd": "Normal"}
QUANTILE = re.compile(r"q(\d{2,})")
# Families that two quantiles determine: normal on the identity, log or logit scale.
TO_NORMAL: dict[str, Callable[[float], float]] = {
    "Normal": lambda x: x,
    "LogNormal": np.log,
    "LogitNormal": lambda x: np.log(x / (1 - x)),
}
WAYS = (
    "Write one of: median with cv, sd_log, sd_logit or sd; two quantiles such as q05 and q95; "
    f"distribution (one of {', '.join(FAMILIES)}) with its parameters"
)


@runtime_checkable
class CreatesVariable(Protocol):
    """What can stand where a prior is expected: an object that creates a PyMC variable."""

    def create_variable(self, name: str) -> Any:
        """Create the variable in the current model."""


@dataclass(frozen=True)
class Source:
    """Where a prior comes from.

    Parameters
    ----------
    text : str
        The publication, the experiment, or the reasoning, in words a reviewer can follow.
    kind : {"literature", "in vitro", "in vivo", "expert", "assumption"}
        What sort of evidence it is.
    reference : str, optional
        A DOI or another identifier.

    Examples
    --------
    >>> Source("Grasela & Donn (1985) Dev Pharmacol Ther 8:374", kind="literature")
    Source(text='Grasela & Donn (1985) Dev Pharmacol Ther 8:374', kind='literature', reference='')
    """

    text: str
    kind: SourceKind = "assumption"
    reference: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise PriorError("A source needs a text: the publication, the experiment or the reasoning.")
        if self.kind not in get_args(SourceKind):
            raise PriorError(
                f"Source kind {self.kind!r} is not known. Use one of {', '.join(get_args(SourceKind))}."
            )

    def __str__(self) -> str:
        reference = f" ({self.reference})" if self.reference else ""
        return f"{self.kind}: {self.text}{reference}"


@dataclass(frozen=True, init=False)
class Prior:
    """A prior distribution with its unit and its source.

    The distribution is stated in one of three ways:

    - ``median`` with one spread: ``cv`` (coefficient of variation) or ``sd_log`` give a log-normal, ``sd_logit`` a
      logit-normal, ``sd`` a normal distribution. For the log-normal, sd_log = sqrt(log(1 + cv^2));
    - two quantiles, ``q05=1, q95=8``: the digits are the decimals of the probability (``q025`` is 0.025). They fix a
      log-normal, or the family named in `distribution` (``"Normal"``, ``"LogitNormal"``);
    - ``distribution`` with the parameters as PyMC names them: ``distribution="HalfNormal", sigma=0.5``.

    Parameters
    ----------
    unit : str
        Unit of the variable; ``""`` where it has none.
    source : Source, mapping or str
        Where it comes from. A bare text counts as an assumption.
    informative : bool
        Whether the prior is meant to move the result; reports list such priors first.
    **specification
        The distribution, as above.

    Raises
    ------
    PriorError
        If the specification is incomplete, contradictory or impossible.

    Examples
    --------
    >>> clearance = Prior(median=2.8, cv=0.5, unit="L/h", source="70 kg adult, textbook value")
    >>> clearance
    Prior(LogNormal(mu=1.03, sigma=0.472), unit='L/h')
    >>> [round(float(q), 3) for q in clearance.quantile([0.05, 0.5, 0.95])]
    [1.287, 2.8, 6.09]
    >>> Prior(q05=1, q95=8, unit="1/h", source="typical range of tablets").median.round(3)
    np.float64(2.828)
    >>> Prior(distribution="HalfNormal", sigma=0.5, unit="", source="weakly informative")
    Prior(HalfNormal(sigma=0.5), unit='')
    """

    distribution: str
    parameters: Mapping[str, float]
    unit: str
    source: Source
    informative: bool

    def __init__(
        self,
        *,
        unit: str,
        source: Source | Mapping[str, str] | str,
        informative: bool = False,
        **specification: Any,
    ) -> None:
        distribution, parameters = parse_specification(specification)
        if not isinstance(unit, str):
            raise PriorError(f"The unit of a prior is a text such as 'L/h', or '' for none; got {unit!r}.")
        if not isinstance(informative, bool):
            raise PriorError(f"informative is true or false; got {informative!r}.")
        parse_unit(unit, "prior")
        for name, value in {
            "distribution": distribution,
            "parameters": MappingProxyType(parameters),
            "unit": unit,
            "source": parse_source(source),
            "informative": informative,
        }.items():
            object.__setattr__(self, name, value)
        if not np.isfinite(self.median):
            raise PriorError(f"{self.formula} is not a distribution: check the values of its parameters.")

    def create_variable(self, name: str, **keywords: Any) -> Any:
        """Create the PyMC variable `name` in the current model; `keywords` such as ``dims`` go to PyMC."""
        return FAMILIES[self.distribution].distribution(name, **self.parameters, **keywords)

    @property
    def law(self) -> Any:
        """The frozen scipy distribution (``pdf``, ``ppf``)."""
        return FAMILIES[self.distribution].law(**self.parameters)

    def quantile(self, probability: Any) -> Any:
        """Quantiles at the given probabilities, in `unit`."""
        return self.law.ppf(probability)

    @property
    def median(self) -> Any:
        """The median, in `unit`."""
        return np.float64(self.quantile(0.5))

    @property
    def formula(self) -> str:
        """The distribution in words, ``LogNormal(mu=1.03, sigma=0.472)``."""
        inside = ", ".join(f"{name}={value:.3g}" for name, value in self.parameters.items())
        return f"{self.distribution}({inside})"

    def scaled(self, factor: float) -> Prior:
        """Give the prior of `factor` times the variable: median and spread grow, the shape stays.

        Raises
        ------
        PriorError
            If the family does not allow it (a logit-normal, a correlation).
        """
        parameters = FAMILIES[self.distribution].multiplied(self.parameters, factor)
        if parameters is None:
            raise PriorError(f"{self.formula} cannot be multiplied by {factor}: its range is fixed.")
        return Prior(
            distribution=self.distribution,
            unit=self.unit,
            source=self.source,
            informative=self.informative,
            **parameters,
        )

    def marked(self, informative: bool = True) -> Prior:
        """Give the same prior, marked as meant to move the result or not.

        Examples
        --------
        >>> Prior(median=0.8, sd_logit=1.0, unit="", source="a guess").marked().informative
        True
        """
        return Prior(
            distribution=self.distribution,
            unit=self.unit,
            source=self.source,
            informative=informative,
            **self.parameters,
        )

    def __repr__(self) -> str:
        return f"Prior({self.formula}, unit={self.unit!r})"


def parse_source(source: Source | Mapping[str, str] | str) -> Source:
    """Read a source written as an object, a table or a text."""
    if isinstance(source, Source):
        return source
    if isinstance(source, str):
        return Source(source)
    if not isinstance(source, Mapping):
        raise PriorError(f"A source is a text or a table with text, kind and reference; got {source!r}.")
    unknown = set(source) - {"text", "kind", "reference"}
    if unknown or "text" not in source:
        raise PriorError(
            f"A source has a text, and may have a kind and a reference; got the keys {', '.join(sorted(source))}."
        )
    return Source(**source)  # type: ignore[arg-type]


def parse_specification(specification: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """Read the distribution from its keywords: family and parameters.

    Examples
    --------
    >>> parse_specification({"median": 1.0, "sd_log": 0.5})
    ('LogNormal', {'mu': 0.0, 'sigma': 0.5})
    """
    numbers = {key: value for key, value in specification.items() if key != "distribution"}
    for key, value in numbers.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | np.number)
            or not np.isfinite(value)
        ):
            raise PriorError(f"{key} must be a finite number; got {value!r}.")
    named = specification.get("distribution")
    if named is not None and named not in FAMILIES:
        raise PriorError(f"distribution {named!r} is not known. Use one of {', '.join(FAMILIES)}.")
    if "median" in numbers:
        return from_median(numbers, named)
    if numbers and all(QUANTILE.fullmatch(key) for key in numbers):
        return from_quantiles(numbers, named or "LogNormal")
    if named is None:
        raise PriorError(f"No distribution can be read from {sorted(specification) or 'nothing'}. {WAYS}.")
    return named, check_parameters(named, numbers)


def from_median(numbers: Mapping[str, float], named: str | None) -> tuple[str, dict[str, float]]:
    """Give the family and parameters of a median and one spread."""
    spreads = [key for key in numbers if key in SPREADS]
    unknown = sorted(set(numbers) - set(SPREADS) - {"median"})
    if len(spreads) != 1 or unknown:
        raise PriorError(f"median needs exactly one of {', '.join(SPREADS)}; got {', '.join(numbers)}.")
    family, median, spread = SPREADS[spreads[0]], float(numbers["median"]), float(numbers[spreads[0]])
    if named not in (None, family):
        raise PriorError(
            f"median with {spreads[0]} is a {family}, but distribution says {named!r}. Leave one out."
        )
    if spread <= 0:
        raise PriorError(f"{spreads[0]} must be positive; got {spread:g}.")
    sigma = float(np.sqrt(np.log1p(spread**2))) if spreads[0] == "cv" else spread
    return family, {"mu": to_normal(family, median, "median"), "sigma": sigma}


def from_quantiles(numbers: Mapping[str, float], family: str) -> tuple[str, dict[str, float]]:
    """Give the parameters of the family that has the two quantiles."""
    if family not in TO_NORMAL:
        raise PriorError(
            f"Quantiles fix a {', '.join(TO_NORMAL)}, not a {family}. State its parameters instead."
        )
    if len(numbers) != 2:
        raise PriorError(f"Two quantiles fix a distribution; got {', '.join(numbers)}.")
    (p_low, low), (p_high, high) = sorted((float(f"0.{key[1:]}"), value) for key, value in numbers.items())
    if not low < high or p_low == p_high or p_low == 0:
        raise PriorError(f"Quantiles must increase with their probability; got {dict(numbers)}.")
    z_low, z_high = norm.ppf([p_low, p_high])
    x_low, x_high = (to_normal(family, value, "a quantile") for value in (low, high))
    sigma = (x_high - x_low) / (z_high - z_low)
    return family, {"mu": float(x_low - sigma * z_low), "sigma": float(sigma)}


def to_normal(family: str, value: float, what: str) -> float:
    """Bring a value of the family to the scale where it is normal."""
    if family == "LogNormal" and value <= 0:
        raise PriorError(f"{what} of a LogNormal must be positive; got {value:g}.")
    if family == "LogitNormal" and not 0 < value < 1:
        raise PriorError(f"{what} of a LogitNormal must lie between 0 and 1; got {value:g}.")
    return float(TO_NORMAL[family](float(value)))


def check_parameters(family: str, numbers: Mapping[str, float]) -> dict[str, float]:
    """Require exactly the parameters of the family."""
    expected = FAMILIES[family].parameters
    if set(numbers) != set(expected):
        raise PriorError(
            f"{family} has the parameters {', '.join(expected)}; got {', '.join(numbers) or 'none'}."
        )
    return {name: float(numbers[name]) for name in expected}
