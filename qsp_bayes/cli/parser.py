"""Parser: what can be typed, and how errors are answered."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import qsp_bayes as qb
from qsp_bayes.cli import commands
from qsp_bayes.cli.specification import ERROR_MODELS, MODELS

EXAMPLES = """\
examples:
  qsp-bayes demo
  qsp-bayes datasets theophylline
  qsp-bayes fit theophylline --priors theophylline --absorption first-order \\
      --allometry WT CL=0.75 Vc=1 reference=70 --variability CL Vc KA --correlated --output fit.nc
  qsp-bayes simulate fit.nc --dose 100 200 --every 8 12 --until 72 --into depot --output future.nc
  qsp-bayes dose fit.nc --dose 100 200 300 --every 8 12 --until 72 --into depot \\
      --window 10 20 --output decision.nc
  qsp-bayes report fit.nc --decision decision.nc --to theophylline.html
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        0 for success, 130 after Ctrl-C, 2 where the request or the data are at fault; argparse itself exits with 2
        on bad arguments.
    """
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (qb.QSPBayesError, OSError) as error:
        if arguments.debug:
            raise
        print(f"qsp-bayes {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"qsp-bayes {arguments.command}: stopped", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Declare every command and option."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the Python traceback of an error")
    seeded = argparse.ArgumentParser(add_help=False)
    seeded.add_argument("--seed", type=int, default=1, help="random seed (default: %(default)s)")
    written = argparse.ArgumentParser(add_help=False)
    written.add_argument("--force", action="store_true", help="replace an output file that exists")
    candidates = candidate_options()

    parser = argparse.ArgumentParser(
        prog="qsp-bayes",
        description="Bayesian quantitative systems pharmacology: from a study to a dose.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"qsp-bayes {qb.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = subparsers.add_parser(
        "demo", parents=[common, seeded], help="theophylline, from the data to a report"
    )
    demo.add_argument("--folder", default=".", help="where the fit and the report go (default: here)")
    demo.add_argument("--draws", type=int, default=1000, help="draws per chain (default: %(default)s)")
    demo.add_argument(
        "--tune", type=int, default=1000, help="draws of adaptation per chain (default: %(default)s)"
    )
    demo.set_defaults(run=commands.demo)

    datasets = subparsers.add_parser(
        "datasets", parents=[common], help="list the studies that ship, or show one"
    )
    datasets.add_argument("name", nargs="?", help="a study to show")
    datasets.set_defaults(run=commands.datasets)

    fit = subparsers.add_parser("fit", parents=[common, seeded, written], help="calibrate a model to a study")
    fit.add_argument("study", help="a study of the catalogue, or a NONMEM-style CSV file")
    fit.add_argument(
        "--priors", required=True, metavar="FILE", help="prior file, or the name of one that ships"
    )
    fit.add_argument("--model", choices=MODELS, default="one_compartment", help="default: %(default)s")
    fit.add_argument("--absorption", help="such as first-order; omit for intravenous doses")
    fit.add_argument("--units", nargs="+", default=[], metavar="WHAT=UNIT", help="time=h amount=mg volume=L")
    fit.add_argument(
        "--variability", nargs="+", default=[], metavar="PARAMETER", help="random effects between subjects"
    )
    fit.add_argument("--correlated", action="store_true", help="let these random effects be correlated")
    fit.add_argument(
        "--allometry",
        nargs="+",
        default=[],
        metavar="WHAT",
        help="covariate, exponents, reference: WT CL=0.75 reference=70",
    )
    fit.add_argument(
        "--error", choices=ERROR_MODELS, default="combined", help="residual error (default: %(default)s)"
    )
    fit.add_argument(
        "--columns", nargs="+", default=[], metavar="COLUMN=UNIT", help="units in a file: TIME=h"
    )
    fit.add_argument(
        "--compartments", nargs="+", metavar="NAME", help="in a file: depot, or CMT codes, 1=depot 2=central"
    )
    fit.add_argument(
        "--outputs",
        nargs="+",
        default=["Cc"],
        metavar="NAME",
        help="in a file: Cc, or DVID codes, 1=Cc 2=effect",
    )
    fit.add_argument(
        "--covariates", nargs="+", metavar="COLUMN", help="in a file; by default every other column"
    )
    fit.add_argument("--draws", type=int, default=1000, help="draws per chain (default: %(default)s)")
    fit.add_argument(
        "--tune", type=int, default=1000, help="draws of adaptation per chain (default: %(default)s)"
    )
    fit.add_argument("--chains", type=int, default=4, help="default: %(default)s")
    fit.add_argument(
        "--output", default="fit.nc", metavar="FILE", help="where the fit goes (default: %(default)s)"
    )
    fit.set_defaults(run=commands.fit)

    simulate = subparsers.add_parser(
        "simulate", parents=[common, seeded, written, candidates], help="predict regimens in new individuals"
    )
    simulate.add_argument(
        "--output", default="future.nc", metavar="FILE", help="where it goes (default: %(default)s)"
    )
    simulate.set_defaults(run=commands.simulate)

    dose = subparsers.add_parser(
        "dose",
        parents=[common, seeded, written, candidates],
        help="choose the regimen of highest expected utility",
    )
    dose.add_argument(
        "--window", nargs=2, type=float, required=True, metavar=("LOW", "HIGH"), help="therapeutic window"
    )
    dose.add_argument(
        "--penalty",
        type=float,
        default=0.5,
        help="cost of time above the window, in times within (default: %(default)s)",
    )
    dose.add_argument("--of", default="Cc", metavar="OUTPUT", help="the output judged (default: %(default)s)")
    dose.add_argument(
        "--output", default="decision.nc", metavar="FILE", help="where it goes (default: %(default)s)"
    )
    dose.set_defaults(run=commands.dose)

    report = subparsers.add_parser("report", parents=[common], help="write one self-contained HTML page")
    report.add_argument("fit", help="file written by `qsp-bayes fit`")
    report.add_argument("--decision", metavar="FILE", help="file written by `qsp-bayes dose`")
    report.add_argument("--future", metavar="FILE", help="file written by `qsp-bayes simulate`")
    report.add_argument("--to", default="report.html", metavar="FILE", help="default: %(default)s")
    report.set_defaults(run=commands.report)
    return parser


def candidate_options() -> argparse.ArgumentParser:
    """Options that say which regimens are simulated, in whom, and when."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("fit", help="file written by `qsp-bayes fit`")
    options.add_argument(
        "--dose", nargs="+", type=float, required=True, metavar="AMOUNT", help="candidate doses"
    )
    options.add_argument(
        "--every", nargs="+", type=float, required=True, metavar="TIME", help="candidate intervals"
    )
    options.add_argument(
        "--until", type=float, required=True, metavar="TIME", help="doses are given before this time"
    )
    options.add_argument("--into", default="central", metavar="COMPARTMENT", help="default: %(default)s")
    options.add_argument(
        "--duration", type=float, metavar="TIME", help="of an infusion; omit for a bolus or oral dose"
    )
    options.add_argument(
        "--step", type=float, default=1.0, metavar="TIME", help="of the time grid (default: %(default)s)"
    )
    options.add_argument("--subjects", type=int, default=500, help="new individuals (default: %(default)s)")
    options.add_argument("--draws", type=int, default=200, help="posterior draws used (default: %(default)s)")
    return options
