"""Physiology: what one body is like, ready to be the parameters of a System."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from qsp_bayes.data.words import close_names
from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.organs import ORGANS, scaling_of
from qsp_bayes.units import conversion_factor

if TYPE_CHECKING:
    import pandas as pd

    from qsp_bayes.systems.system import System


@dataclass(frozen=True, eq=False, repr=False)
class Physiology:
    r"""Volumes, blood flows and what else is known of a body, each figure with its source and spread.

    .. code-block:: text

        venous --> lung --> arterial --+--> heart brain muscle adipose skin bone kidney rest --> venous
                                       +--> gut spleen pancreas --+
                                       +--> hepatic artery -------+--> liver ---------------> venous

    Masses add up to body weight and arterial flows to cardiac output, by the rest of the body:

    .. math::

        W = \sum_o \rho_o V_o + \rho_b V_b \qquad \mathrm{CO} = \sum_{o \ne \mathrm{lung, liver}} Q_o + Q_{ha}

    Parameters
    ----------
    species : str
    title : str
    known : mapping of str to Figure
        By name: ``V_<organ>`` (tissue without blood, L), ``V_<organ>_vascular`` (L), ``Q_<organ>`` (L/h),
        ``Q_hepatic_artery``, ``Q_liver`` (all that enters the liver), ``GFR`` (L/h), ``body_weight`` (kg),
        ``cardiac_output``, ``blood_volume``, ``haematocrit``, ``arterial_fraction``, and where known
        ``plasma_albumin``, ``plasma_AGP`` (g/L), ``microsomal_protein`` (mg/g), ``hepatocellularity`` (1/g).
    densities : mapping of str to float
        Of each organ and of blood, kg/L.
    doubtful : mapping of str to str
        Names that should not be relied on, with the reason.
    remark : str
        What was assumed.
    volume_exponent, flow_exponent : float
        How volumes and flows go with body weight.

    Notes
    -----
    Figures are means of groups: they hold for a body of this weight at rest. Volumes with exponent 1 and flows with
    0.75 describe how species differ, and adults of one species; for children and for obesity see `reference_human`.
    Plasma concentrations alone rarely tell volumes and flows of single organs: fix them (`values`), or free few
    with their published spread (`figures` and `priors_from`).

    References
    ----------
    Brown RP et al (1997) Toxicol Ind Health 13:407-484. Davies B, Morris T (1993) Pharm Res 10:1093-1095.
    ICRP (2002) Publication 89, Ann ICRP 32(3-4).

    Examples
    --------
    >>> from qsp_bayes.physiology import load_physiology
    >>> rat = load_physiology("rat")
    >>> rat
    Rat, 250 g, adult male: cardiac output 4.99 L/h, blood 0.016 L, liver 0.00871 L; doubtful: plasma_AGP, V_pancreas,
    Q_muscle, Q_adipose, Q_pancreas
    >>> rat["V_liver"].value, rat["V_liver"].unit
    (0.008714..., 'L')
    """

    species: str
    title: str
    known: Mapping[str, Figure]
    densities: Mapping[str, float]
    doubtful: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""
    volume_exponent: float = 1.0
    flow_exponent: float = 0.75

    def __post_init__(self) -> None:
        for name in ("known", "densities", "doubtful"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be copied; the plain mapping can.
        parts = [getattr(self, part.name) for part in fields(self)]
        return Physiology, tuple(dict(part) if isinstance(part, Mapping) else part for part in parts)

    def __getitem__(self, name: str) -> Figure:
        if name not in self.known:
            raise MechanismError(
                f"{self.title}: nothing is known of {name!r}{close_names(name, self.known)}. "
                f"There is {', '.join(self.known)}."
            )
        return self.known[name]

    @property
    def body_weight(self) -> float:
        """Body weight in kg."""
        return self.known["body_weight"].value

    @property
    def cardiac_output(self) -> float:
        """Cardiac output in L/h, the sum of all arterial flows."""
        return self.known["cardiac_output"].value

    @property
    def maximum_life_span(self) -> float:
        r"""Maximum life span in years, for the allometry of clearance, from brain and body weight in kg.

        .. math:: 185.4\, W_\mathrm{brain}^{0.636}\, W^{-0.225}

        Sacher GA (1959) in CIBA Foundation Colloquia on Ageing 5:115-133, there in g.
        """
        brain = self.known["V_brain"].value * self.densities["brain"]
        return float(185.4 * brain**0.636 * self.body_weight**-0.225)

    def masses(self) -> dict[str, float]:
        """Return the mass of each organ without blood, and of all blood, in kg; they add up to body weight."""
        organs = {organ: self.known[f"V_{organ}"].value * self.densities[organ] for organ in ORGANS}
        return organs | {"blood": self.known["blood_volume"].value * self.densities["blood"]}

    def scaled(self, body_weight: float) -> Physiology:
        r"""Return the body at another weight: :math:`V (W/W_0)^{1}` and :math:`Q (W/W_0)^{0.75}`, or its exponents.

        With a volume exponent other than 1 masses no longer add up to body weight.

        Examples
        --------
        >>> from qsp_bayes.physiology import load_physiology
        >>> rat = load_physiology("rat")
        >>> rat.scaled(0.5).cardiac_output / rat.cardiac_output
        1.6817...
        """
        if not (np.isfinite(body_weight) and body_weight > 0):
            raise MechanismError(f"{self.title}: the body weight must be positive kg; got {body_weight}.")
        ratio = body_weight / self.body_weight
        powers = {"volume": self.volume_exponent, "flow": self.flow_exponent}
        scaled = {
            name: figure.times(ratio ** powers[kind], figure.unit) if (kind := scaling_of(name)) else figure
            for name, figure in self.known.items()
        }
        scaled["body_weight"] = self.known["body_weight"].times(ratio, "kg")
        title = f"{self.title.partition(', scaled to')[0]}, scaled to {body_weight:g} kg"
        return replace(self, title=title, known=scaled)

    def figures(self, system: System) -> dict[str, Figure]:
        """Return the figure of each parameter of a System that is known, in the unit of that parameter.

        ``V_arterial`` and ``V_venous`` share all blood but that of the organs which have a ``V_<organ>_vascular`` of
        their own in the system.

        Parameters
        ----------
        system : System

        Returns
        -------
        dict of str to Figure

        Raises
        ------
        MechanismError
            If none of its parameters is known, or one of them measures something else.

        Examples
        --------
        >>> from qsp_bayes.physiology import load_physiology
        >>> from qsp_bayes.systems import Process, System
        >>> liver = System(
        ...     {"liver": "mg"}, {"V_liver": "mL", "Q_hepatic_artery": "mL/min"},
        ...     [Process("outflow", {"liver": -1}, lambda s: s.Q_hepatic_artery / s.V_liver * s.liver)],
        ...     time_unit="min",
        ... )
        >>> for name, figure in load_physiology("human").figures(liver).items():
        ...     print(name, round(figure.value, 1), figure.unit)
        V_liver 1714.3 mL
        Q_hepatic_artery 422.5 mL/min
        """
        found = {name: self.figure_of(name, system) for name in system.parameters}
        given = {name: figure for name, figure in found.items() if figure is not None}
        if not given:
            raise MechanismError(
                f"{self.title}: system {system.name!r} has no parameter that physiology knows. It has "
                f"{', '.join(system.parameters) or 'none'}; name them V_liver, Q_kidney, V_arterial, GFR and so on."
            )
        return {name: in_unit_of(figure, system, name) for name, figure in given.items()}

    def values(self, system: System, *, free: Collection[str] = ()) -> dict[str, float]:
        """Return the value of each parameter of a System that is known: ``Calibration(..., fix=values)``.

        Parameters
        ----------
        system : System
        free : collection of str
            Parameters to leave out, because they have a prior of their own (``priors_from(figures, free)``).
        """
        figures = self.figures(system)
        for name in free:
            if name not in figures:
                raise MechanismError(
                    f"{self.title}: {name!r} cannot be freed{close_names(name, figures)}; physiology gives "
                    f"system {system.name!r} {', '.join(figures)}."
                )
        return {name: figure.value for name, figure in figures.items() if name not in free}

    def exponents(self, system: System) -> dict[str, float]:
        """Return how each parameter of a System that is known goes with body weight: ``Allometry("WT", **...)``.

        Only those that do: a haematocrit has none.
        """
        powers = {"volume": self.volume_exponent, "flow": self.flow_exponent}
        return {name: powers[kind] for name in self.figures(system) if (kind := scaling_of(name))}

    def figure_of(self, name: str, system: System) -> Figure | None:
        """Return the figure of one parameter of a System in its own unit, or None."""
        if name not in ("V_arterial", "V_venous"):
            return self.known.get(name)
        blood, share = self.known["blood_volume"], self.known["arterial_fraction"]
        apart = [organ for organ in ORGANS if f"V_{organ}_vascular" in system.parameters]
        pooled = blood.value - sum(self.known[f"V_{organ}_vascular"].value for organ in apart)
        part = share.value if name == "V_arterial" else 1 - share.value
        spread = float(np.hypot(blood.sd_log, share.sd_log * share.value / part))
        remark = f"blood without that of {', '.join(apart)}" if apart else "all blood of the body"
        return Figure(pooled * part, "L", f"{blood.source}; {share.source}", spread, remark)

    @property
    def sources(self) -> list[str]:
        """Publications that figures come from, each once."""
        return list(
            dict.fromkeys(part for figure in self.known.values() for part in figure.source.split("; "))
        )

    def table(self) -> pd.DataFrame:
        """Return every figure with unit, spread, source, remark and doubt.

        Examples
        --------
        >>> from qsp_bayes.physiology import load_physiology
        >>> print(load_physiology("dog").table().loc["Q_kidney", ["value", "unit"]].to_string())
        value    12.96
        unit       L/h
        """
        import pandas as pd

        rows = {
            name: {
                "value": figure.value,
                "unit": figure.unit,
                "sd_log": figure.sd_log,
                "source": figure.source,
                "remark": figure.remark,
                "doubtful": self.doubtful.get(name, ""),
            }
            for name, figure in self.known.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("figure")

    def __repr__(self) -> str:
        text = (
            f"{self.title}: cardiac output {self.cardiac_output:.3g} L/h, "
            f"blood {self.known['blood_volume'].value:.3g} L, liver {self.known['V_liver'].value:.3g} L"
        )
        return f"{text}; doubtful: {', '.join(self.doubtful)}" if self.doubtful else text

    def _repr_html_(self) -> str:
        table = self.table().to_html(escape=True, border=0, float_format=lambda number: f"{number:.4g}")
        return f"<p>{escape(self.title)}</p><p>{escape(self.remark)}</p>{table}"


def in_unit_of(figure: Figure, system: System, name: str) -> Figure:
    """Convert a figure to the unit that a parameter of a System has."""
    wanted = system.parameters[name]
    factor = conversion_factor(figure.unit, wanted)
    if factor is None:
        raise MechanismError(
            f"system {system.name!r}, parameter {name}: it has the unit {wanted!r}, but physiology knows {name} in "
            f"{figure.unit!r}, which measures something else. Correct the unit, or rename the parameter."
        )
    return figure if factor == 1 else figure.times(factor, wanted)
