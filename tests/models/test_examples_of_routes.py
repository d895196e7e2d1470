"""Every entry of the routes, dispositions and antibodies runs, and says what must be known of it."""

import importlib

import numpy as np
import pytest

NAMES = (
    "absorption", "antibody", "autoinduction", "enterohepatic", "metabolite", "protein_binding", "time_varying",
)  # fmt: skip
MODULES = [importlib.import_module(f"qsp_bayes.models.{name}") for name in NAMES]
EXAMPLES = {title: example for module in MODULES for title, example in module.examples().items()}


def test_titles_are_unique():
    assert len(EXAMPLES) == sum(len(module.examples()) for module in MODULES)


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_runs_and_is_documented(title):
    example = EXAMPLES[title]
    assert "" not in (example.holds, example.identifiability, example.reference)
    assert set(example.parameters) == set(example.system.parameters)
    found = example.course(60)
    assert list(found) == list(example.shows)
    for name in example.shows:
        values = found[name].to_numpy()
        assert np.isfinite(values).all()
        assert values.min() > -1e-6 * values.max()
        assert np.ptp(values) > 0
