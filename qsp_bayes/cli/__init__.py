"""The ``qsp-bayes`` command line: the pipeline of the notebook, one step a command, files in between."""

from qsp_bayes.cli.parser import main

__all__ = ["main"]
