"""The gallery: every entry of the library with numbers to try it with, by chapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qsp_bayes.models.absorption import examples as absorption_examples
from qsp_bayes.models.antibody import examples as antibody_examples
from qsp_bayes.models.autoinduction import examples as autoinduction_examples
from qsp_bayes.models.compartments import examples as compartments_examples
from qsp_bayes.models.enterohepatic import examples as enterohepatic_examples
from qsp_bayes.models.example import Example
from qsp_bayes.models.metabolite import examples as metabolite_examples
from qsp_bayes.models.networks import examples as networks_examples
from qsp_bayes.models.oscillators import examples as oscillators_examples
from qsp_bayes.models.pbpk.examples import examples as pbpk_examples
from qsp_bayes.models.pbpk.gas_uptake import examples as gas_uptake_examples
from qsp_bayes.models.pharmacodynamics import examples as pharmacodynamics_examples
from qsp_bayes.models.protein_binding import examples as protein_binding_examples
from qsp_bayes.models.receptor import examples as receptor_examples
from qsp_bayes.models.receptor_cascade import examples as receptor_cascade_examples
from qsp_bayes.models.signalling import examples as signalling_examples
from qsp_bayes.models.time_varying import examples as time_varying_examples
from qsp_bayes.models.tmdd.bispecific import examples as tmdd_bispecific_examples
from qsp_bayes.models.tmdd.model import examples as tmdd_model_examples
from qsp_bayes.models.tmdd.soluble import examples as tmdd_soluble_examples

CHAPTERS: dict[str, tuple[Callable[[], Mapping[str, Example]], ...]] = {
    "Compartments and elimination": (
        compartments_examples,
        time_varying_examples,
        autoinduction_examples,
        enterohepatic_examples,
        metabolite_examples,
        protein_binding_examples,
    ),
    "Absorption": (absorption_examples,),
    "Receptors": (receptor_examples,),
    "Target-mediated disposition": (
        tmdd_model_examples,
        tmdd_soluble_examples,
        tmdd_bispecific_examples,
    ),
    "Antibodies": (antibody_examples,),
    "Physiologically-based models": (pbpk_examples, gas_uptake_examples),
    "Reaction networks and signalling": (
        networks_examples,
        oscillators_examples,
        signalling_examples,
        receptor_cascade_examples,
    ),
    "Pharmacodynamics": (pharmacodynamics_examples,),
}
"""What each chapter shows."""


def gallery() -> dict[str, dict[str, Example]]:
    """Return the entries of the library by chapter and title.

    Examples
    --------
    >>> for chapter, entries in gallery().items():
    ...     print(f"{chapter}: {', '.join(entries)}")
    Compartments and elimination: One compartment, Two compartments, Three compartments, ...
    """
    return {
        chapter: {title: entry for examples in parts for title, entry in examples().items()}
        for chapter, parts in CHAPTERS.items()
    }
