"""Rungs: what mechanism, design and data each say of one variable, and the verdict and advice that follow."""

from __future__ import annotations

from dataclasses import dataclass

from qsp_bayes.identifiability.contraction import INFORMED, NOT_INFORMED
from qsp_bayes.identifiability.structural.result import NOT, UNDECIDED

CANNOT = "cannot be known"
BY_PRIOR = "known by its prior"
KNOWN, PARTLY, UNKNOWN = "known", "known in part", "not known"
VERDICTS = (CANNOT, UNKNOWN, BY_PRIOR, PARTLY, KNOWN)
"""From worst to best."""
CLOSE = 0.8
"""Correlation from which a variable is said to go together with another."""


@dataclass(frozen=True)
class Rungs:
    """What is said of one variable of the population.

    Parameters
    ----------
    variable : str
    parameter : str
        The parameter of the system that it describes; empty for errors and the like.
    informative : bool
        Whether its prior is marked as meant to move the result.
    structural : str
        Verdict on the parameter of one individual with perfect data; empty where there is none.
    together : tuple of str
        Combinations with the parameter that are known where it is not.
    remedies : tuple of str
        What would make the parameter identifiable.
    expected : float
        Contraction of the prior's variance to be expected from the design.
    partner : str
        Variable that it goes together with most.
    correlation : float
        With the partner, in the posterior to be expected.
    contraction : float or None
        What the fit made of the prior; None without a fit.
    settled : tuple of str
        Parameters whose informative priors settle what data leave open.
    """

    variable: str
    parameter: str
    informative: bool
    structural: str
    together: tuple[str, ...]
    remedies: tuple[str, ...]
    expected: float
    partner: str
    correlation: float
    contraction: float | None = None
    settled: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether perfect data would not determine the parameter."""
        return self.structural == NOT

    @property
    def verdict(self) -> str:
        """The verdict in a word.

        Examples
        --------
        >>> from dataclasses import replace
        >>> kon = Rungs("TVkon", "kon", False, "locally identifiable", (), (), 0.05, "TVkoff", 0.97)
        >>> kon.verdict, replace(kon, contraction=0.9).verdict
        ('not known', 'known')
        >>> replace(kon, structural="not identifiable").verdict
        'cannot be known'
        """
        if self.open:
            return BY_PRIOR if self.informative or self.settled else CANNOT
        share = self.expected if self.contraction is None else self.contraction
        if share >= INFORMED:
            return KNOWN
        return UNKNOWN if share < NOT_INFORMED else PARTLY

    @property
    def reason(self) -> str:
        """Why, in sentences."""
        said = []
        if self.open:
            known = f" The data determine {', '.join(self.together)} alone." if self.together else ""
            said.append(f"Perfect data of an individual would not determine {self.parameter}.{known}")
            if self.settled and not self.informative:
                said.append(f"With the informative prior of {', '.join(self.settled)} they do.")
            if self.contraction is not None and self.contraction >= NOT_INFORMED:
                said.append(
                    f"The fit took away {self.contraction:.0%} of its prior variance because other priors are narrow."
                )
            return " ".join(said)
        if self.structural == UNDECIDED:
            said.append(f"Whether perfect data would determine {self.parameter} was not decided.")
        elif "solutions" in self.structural:
            number = self.structural.partition("(")[2].partition(" ")[0]
            said.append(f"{number} values of {self.parameter} give the same data.")
        said.append(f"The design would take away {max(0.0, self.expected):.0%} of its prior variance.")
        if self.contraction is not None:
            said.append(f"The fit took away {max(0.0, self.contraction):.0%}.")
        if self.verdict != KNOWN and abs(self.correlation) >= CLOSE:
            said.append(f"It goes together with {self.partner} (correlation {self.correlation:.2f}).")
        return " ".join(said)

    @property
    def advice(self) -> str:
        """What would change the verdict; empty where it is known."""
        if self.open:
            return " ".join(self.remedies) or "Give it an informative prior."
        if self.verdict == KNOWN:
            return ""
        if self.variable.startswith(("omega_", "pi_", "corr")):
            return "More individuals, or more samples of each."
        return f"Other samples or doses: improve_design(..., criterion=[{self.variable!r}])."
