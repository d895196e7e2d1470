"""Reports: what a fit and a decision say, in tables, figures and words, and as one self-contained HTML file.

Every figure is also a function for notebooks; it returns a matplotlib figure and changes no global setting.
"""

from qsp_bayes.report.checks import Check
from qsp_bayes.report.contraction_figure import plot_contraction
from qsp_bayes.report.decision_figure import plot_decision
from qsp_bayes.report.decision_page import decision_report
from qsp_bayes.report.decision_sensitivity_figure import plot_decision_sensitivity
from qsp_bayes.report.diagnosis import Diagnosis, diagnose
from qsp_bayes.report.evidence import Evidence
from qsp_bayes.report.first_in_human_figure import plot_first_in_human
from qsp_bayes.report.goodness_of_fit import plot_goodness_of_fit
from qsp_bayes.report.individual_fits import plot_individual_fits
from qsp_bayes.report.information_figure import plot_value_of_information
from qsp_bayes.report.ladder_figure import plot_identifiability
from qsp_bayes.report.left_out_species import plot_leave_one_species_out
from qsp_bayes.report.page import report
from qsp_bayes.report.pareto_figure import plot_pareto
from qsp_bayes.report.patient_figure import plot_patient
from qsp_bayes.report.percentiles import PredictiveCheck, predictive_check
from qsp_bayes.report.priors import plot_prior_posterior
from qsp_bayes.report.profile_figure import plot_profiles
from qsp_bayes.report.sensitivity_figure import plot_sensitivity
from qsp_bayes.report.solver_check import SolverCheck, gradient_check, solver_check
from qsp_bayes.report.study_figure import plot_study
from qsp_bayes.report.tmdd_comparison import plot_tmdd_comparison
from qsp_bayes.report.trials_figure import plot_operating_characteristics
from qsp_bayes.report.vpc import plot_vpc

__all__ = [
    "Check",
    "Diagnosis",
    "Evidence",
    "PredictiveCheck",
    "SolverCheck",
    "decision_report",
    "diagnose",
    "gradient_check",
    "plot_contraction",
    "plot_decision",
    "plot_decision_sensitivity",
    "plot_first_in_human",
    "plot_goodness_of_fit",
    "plot_identifiability",
    "plot_individual_fits",
    "plot_leave_one_species_out",
    "plot_operating_characteristics",
    "plot_pareto",
    "plot_patient",
    "plot_prior_posterior",
    "plot_profiles",
    "plot_sensitivity",
    "plot_study",
    "plot_tmdd_comparison",
    "plot_value_of_information",
    "plot_vpc",
    "predictive_check",
    "report",
    "solver_check",
]
