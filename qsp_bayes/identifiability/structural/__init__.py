"""Structural identifiability: which parameters perfect data of one individual determine, in exact arithmetic."""

from qsp_bayes.identifiability.structural.experiment import Experiment, experiments_of
