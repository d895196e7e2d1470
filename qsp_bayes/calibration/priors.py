"""Priors: an immutable collection of priors by the name of the variable they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from types import MappingProxyType
from typing import Any

from qsp_bayes.calibration.families import FAMILIES
from qsp_bayes.calibration.prior import CreatesVariable, Prior
from qsp_bayes.errors import PriorError


class Priors(Mapping[str, Any]):
    """Priors by the name of the model's variable: ``TVCL``, ``omega_CL``, ``sigma_prop_Cc``.

    Parameters
    ----------
    priors : mapping of str to Prior
        Anything with a method ``create_variable(name)`` is accepted in place of a `Prior`.
    title : str
        What the collection is.

    Examples
    --------
    >>> priors = Priors({"TVCL": Prior(median=2.8, sd_log=0.5, unit="L/h", source="textbook value")})
    >>> priors
    Priors: 1
      TVCL  LogNormal(mu=1.03, sigma=0.5)  median 2.8 (5-95 %: 1.23 to 6.37) L/h  assumption: textbook value
    >>> priors.scaled(2)["TVCL"].median.round(6)
    np.float64(5.6)
    """

    def __init__(self, priors: Mapping[str, CreatesVariable], title: str = "") -> None:
        for name, prior in priors.items():
            if not isinstance(prior, CreatesVariable):
                raise PriorError(
                    f"{name}: expected a Prior or an object with create_variable(name); got {prior!r}."
                )
        self.title = title
        self._priors = MappingProxyType(dict(priors))

    def __getitem__(self, name: str) -> Any:
        try:
            return self._priors[name]
        except KeyError:
            raise KeyError(f"no prior for {name}; there are {', '.join(self._priors)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._priors)

    def __len__(self) -> int:
        return len(self._priors)

    def __contains__(self, name: object) -> bool:
        return name in self._priors

    def replace(
        self, other: Mapping[str, CreatesVariable] | None = None, **priors: CreatesVariable
    ) -> Priors:
        """Give a collection with some priors added or exchanged.

        Examples
        --------
        >>> base = Priors({"nu_Cc": Prior(distribution="Gamma", mu=10, sigma=6, unit="", source="Student-t tails")})
        >>> list(base.replace(omega_CL=Prior(distribution="HalfNormal", sigma=0.3, unit="", source="narrow")))
        ['nu_Cc', 'omega_CL']
        """
        return Priors({**self._priors, **(other or {}), **priors}, self.title)

    def scaled(self, factor: float, names: list[str] | None = None) -> Priors:
        """Give a collection where priors are those of `factor` times the variable, to see how much they matter.

        Parameters
        ----------
        factor : float
            2 doubles every median.
        names : list of str, optional
            Priors to change. By default all except those whose range is fixed (correlations, logit-normals).

        Raises
        ------
        PriorError
            If a prior that was named cannot be multiplied.
        """
        chosen = names if names is not None else [name for name in self if self._can_be_scaled(name)]
        return self.replace({name: self[name].scaled(factor) for name in chosen})

    def _can_be_scaled(self, name: str) -> bool:
        prior = self[name]
        return (
            isinstance(prior, Prior)
            and FAMILIES[prior.distribution].multiplied(prior.parameters, 1.0) is not None
        )

    def table(self) -> list[dict[str, Any]]:
        """Give one row of facts for each prior: what reports print and results carry.

        Returns
        -------
        list of dict
            Keys name, unit, distribution, family, parameters, median, q05, q95, source, informative; family, parameters
            and the numbers are None where an object that is not a `Prior` does not tell them.
        """
        return [describe(name, prior) for name, prior in self.items()]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Priors) and dict(self._priors) == dict(other._priors)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lines = []
        for row in self.table():
            unit = f" {row['unit']}" if row["unit"] else ""
            numbers = (
                f"median {row['median']:.3g} (5-95 %: {row['q05']:.3g} to {row['q95']:.3g}){unit}  "
                if row["median"] is not None
                else ""
            )
            mark = " [informative]" if row["informative"] else ""
            lines.append(f"  {row['name']}  {row['distribution']}  {numbers}{row['source']}{mark}")
        title = f" ({self.title})" if self.title else ""
        return "\n".join([f"Priors{title}: {len(self)}", *lines])

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th>{title}</th>"
            for title in (
                "variable",
                "unit",
                "distribution",
                "median",
                "5 %",
                "95 %",
                "informative",
                "source",
            )
        )
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells(row))}</tr>" for row in self.table()
        )
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def cells(row: Mapping[str, Any]) -> list[str]:
    """Format a row of `Priors.table` for a table of texts."""
    numbers = ["" if row[key] is None else f"{row[key]:.3g}" for key in ("median", "q05", "q95")]
    return [
        row["name"],
        row["unit"],
        row["distribution"],
        *numbers,
        "yes" if row["informative"] else "",
        row["source"],
    ]


def describe(name: str, prior: Any) -> dict[str, Any]:
    """Give the facts of one prior."""
    if isinstance(prior, Prior):
        q05, median, q95 = (float(q) for q in prior.quantile([0.05, 0.5, 0.95]))
        return {
            "name": name,
            "unit": prior.unit,
            "distribution": prior.formula,
            "family": prior.distribution,
            "parameters": dict(prior.parameters),
            "median": median,
            "q05": q05,
            "q95": q95,
            "source": str(prior.source),
            "informative": prior.informative,
        }
    unknown = dict.fromkeys(["family", "parameters", "median", "q05", "q95"])
    return {
        "name": name,
        "unit": "",
        "distribution": repr(prior),
        **unknown,
        "source": "not stated",
        "informative": False,
    }
