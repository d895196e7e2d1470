"""SBML and Antimony: systems read from, and written to, the exchange formats of systems biology.

The packages python-libsbml and antimony do the parsing. They are optional (``pip install qsp_bayes[sbml]``) and loaded
when a file is read or written.
"""

from qsp_bayes.systems.sbml.antimony import read_antimony
from qsp_bayes.systems.sbml.files import read_sbml, write_sbml
from qsp_bayes.systems.sbml.model import SBMLModel

__all__ = ["SBMLModel", "read_antimony", "read_sbml", "write_sbml"]
