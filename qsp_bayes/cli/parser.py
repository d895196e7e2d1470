"""Parser: which commands there are, and how errors are answered."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import qsp_bayes as qb
from qsp_bayes.cli.candidates import candidate_options
from qsp_bayes.cli.commands import add_datasets, add_demo, add_report
from qsp_bayes.cli.dose import add_dose
from qsp_bayes.cli.fit import add_fit
from qsp_bayes.cli.simulate import add_simulate

EXAMPLES = """\
examples:
  qsp-bayes demo
  qsp-bayes datasets theophylline
  qsp-bayes fit theophylline --priors theophylline --absorption first-order \\
      --allometry WT CL=0.75 Vc=1 reference=70 --variability CL Vc KA --correlated --output fit.nc
  qsp-bayes simulate fit.nc --dose 100 200 --every 8 12 --until 72 --into depot --output future.nc
  qsp-bayes dose fit.nc --dose 100 200 300 --every 8 12 --until 72 --into depot \\
      --window 10 20 --toxic-above 25 --output decision.nc --page decision.html
  qsp-bayes dose fit.nc --patient patient.csv --dose 200 300 400 --every 8 12 --until 48 --into depot \\
      --window 10 20 --page patient.html
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
    """Declare every command."""
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
    add_demo(subparsers, [common, seeded])
    add_datasets(subparsers, [common])
    add_fit(subparsers, [common, seeded, written])
    add_simulate(subparsers, [common, seeded, written, candidates])
    add_dose(subparsers, [common, seeded, written, candidates])
    add_report(subparsers, [common])
    return parser
