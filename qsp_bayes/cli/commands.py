"""Commands of one step: the demo, the catalogue, and the report on a fit."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction
from typing import Any

import qsp_bayes as qb
from qsp_bayes.cli.files import open_file
from qsp_bayes.demo import run_demo


def add_demo(subparsers: _SubParsersAction, parents: list[Any]) -> None:
    """Declare ``qsp-bayes demo``."""
    parser = subparsers.add_parser("demo", parents=parents, help="theophylline, from the data to a report")
    parser.add_argument("--folder", default=".", help="where the fit and the report go (default: here)")
    parser.add_argument("--draws", type=int, default=1000, help="draws per chain (default: %(default)s)")
    parser.add_argument(
        "--tune", type=int, default=1000, help="draws of adaptation per chain (default: %(default)s)"
    )
    parser.set_defaults(run=demo)


def demo(arguments: Namespace) -> None:
    """Run the main job."""
    run_demo(arguments.folder, draws=arguments.draws, tune=arguments.tune, random_seed=arguments.seed)


def add_datasets(subparsers: _SubParsersAction, parents: list[Any]) -> None:
    """Declare ``qsp-bayes datasets``."""
    parser = subparsers.add_parser(
        "datasets", parents=parents, help="list the studies that ship, or show one"
    )
    parser.add_argument("name", nargs="?", help="a study to show")
    parser.set_defaults(run=datasets)


def datasets(arguments: Namespace) -> None:
    """List the catalogue, or show one study."""
    if arguments.name:
        print(qb.load_dataset(arguments.name))
    else:
        for name, study in qb.list_datasets().iterrows():
            print(f"{name:<24}{study['title']} ({study['subjects']} subjects)")


def add_report(subparsers: _SubParsersAction, parents: list[Any]) -> None:
    """Declare ``qsp-bayes report``."""
    parser = subparsers.add_parser("report", parents=parents, help="write one self-contained HTML page")
    parser.add_argument("fit", help="file written by `qsp-bayes fit`")
    parser.add_argument("--decision", metavar="FILE", help="file written by `qsp-bayes dose`")
    parser.add_argument("--future", metavar="FILE", help="file written by `qsp-bayes simulate`")
    parser.add_argument("--to", default="report.html", metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=report)


def report(arguments: Namespace) -> None:
    """Write the report of a fit, with a decision where there is one."""
    decision = qb.Decision.from_datatree(open_file(arguments.decision)) if arguments.decision else None
    future = open_file(arguments.future) if arguments.future else None
    path = qb.report(open_file(arguments.fit), decision, to=arguments.to, future=future)
    print(f"Report: {path.resolve()}")
