"""Priors from published figures of physiology and partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qsp_bayes.calibration.prior import Prior, Source
from qsp_bayes.calibration.priors import Priors
from qsp_bayes.errors import PriorError
from qsp_bayes.physiology.figure import Figure


def priors_from(figures: Mapping[str, Figure], names: Iterable[str] | None = None) -> Priors:
    r"""Give the priors of typical values that published figures and their spread stand for.

    .. math:: \log \mathrm{TV}\theta \sim N(\log \mathrm{value},\ \mathrm{sd\_log}^2)

    Parameters
    ----------
    figures : mapping of str to Figure
        By the name of the parameter, as `Physiology.figures` and `PartitionCoefficients.figures` give them.
    names : iterable of str, optional
        Parameters that are to be uncertain; all where left out.

    Returns
    -------
    Priors
        Of ``TV<parameter>``, marked informative.

    Raises
    ------
    PriorError
        For a name without a figure, and for a figure whose spread is not known (0).

    Examples
    --------
    >>> liver = Figure(1.8, "L", "ICRP Publication 89 (2002)", sd_log=0.2)
    >>> priors_from({"V_liver": liver})["TVV_liver"]
    Prior(LogNormal(mu=0.588, sigma=0.2), unit='L')
    """
    chosen = list(figures if names is None else names)
    unknown = [name for name in chosen if name not in figures]
    if unknown:
        raise PriorError(
            f"There is no figure of {', '.join(unknown)}. There is {', '.join(figures) or 'none'}."
        )
    certain = [name for name in chosen if not figures[name].sd_log]
    if certain:
        raise PriorError(
            f"The spread of {', '.join(certain)} is not known (sd_log 0). Fix what is certain with fix={{...}}, or "
            "give a Prior of your own."
        )
    return Priors({f"TV{name}": prior_from(figures[name]) for name in chosen}, "published figures")


def prior_from(figure: Figure) -> Prior:
    """Give the log-normal prior of one figure."""
    text = figure.source if not figure.remark else f"{figure.source}. {figure.remark}"
    return Prior(
        median=figure.value,
        sd_log=figure.sd_log,
        unit=figure.unit,
        source=Source(text, kind="literature"),
        informative=True,
    )
