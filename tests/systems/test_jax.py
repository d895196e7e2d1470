"""Systems through JAX: the numbers of the compiled engines, the derivatives of the same, and NUTS by numpyro."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from qsp_bayes.data import read_nonmem
from qsp_bayes.errors import SolverError
from qsp_bayes.models import one_compartment
from qsp_bayes.ode.solvers import CVODES, Automatic, Linear, Rodas5P, Tsit5
from qsp_bayes.systems import DoseInto, Output, Process, System

jax = pytest.importorskip("jax")
pytest.importorskip("numpyro")
from pymc.sampling.jax import get_jaxified_logp  # noqa: E402

TIMES = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
SUBJECTS = ("1", "2", "3")
SYSTEMS = {
    elimination: one_compartment(absorption="first-order", elimination=elimination)
    for elimination in ("linear", "saturable")
}
TYPICAL = {
    "linear": {"KA": 1.5, "CL": 2.8, "Vc": 30.0},
    "saturable": {"KA": 1.5, "Vmax": 20.0, "Km": 2.0, "Vc": 30.0},
}
SOLVERS = {"linear": (Linear(),), "saturable": (Rodas5P(), CVODES(rtol=1e-6))}
RATES = System(
    states={"depot": "mg", "Cc": "mg", "peripheral1": "mg"},
    parameters={"KA": "1/h", "ke": "1/h", "k12": "1/h", "k21": "1/h"},
    processes=[
        Process("absorption", {"depot": -1, "Cc": 1}, lambda s: s.KA * s.depot),
        Process("elimination", {"Cc": -1}, lambda s: s.ke * s.Cc),
        Process("distribution", {"Cc": -1, "peripheral1": 1}, lambda s: s.k12 * s.Cc - s.k21 * s.peripheral1),
    ],
    outputs={"Cc": Output("mg", lambda s: s.Cc)},
    doses={"depot": DoseInto()},
)
"""Its parameters reach the engines as they are, and so do its states the data."""
CASES = [(elimination, solver) for elimination, solvers in SOLVERS.items() for solver in solvers]


@pytest.fixture(scope="module")
def study():
    rows = [
        {
            "ID": subject,
            "TIME": time,
            "AMT": 320.0 * (time == 0),
            "EVID": int(time == 0),
            "CMT": 1,
            "DV": 4.0 + k,
        }
        for k, subject in enumerate(SUBJECTS)
        for time in (0.0, *TIMES)
    ]
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    return read_nonmem(pd.DataFrame(rows), units=units, compartments={1: "depot"}, outputs="Cc")


def model_of(study, elimination, solver):
    with pm.Model(coords=study.coords) as model:
        events = study.as_pymc_data()
        eta = pm.Normal("eta", dims="subject")
        parameters = {
            name: pm.LogNormal(f"TV{name}", np.log(x), 0.3) for name, x in TYPICAL[elimination].items()
        }
        parameters["Vc"] = parameters["Vc"] * pt.exp(0.2 * eta)
        path = SYSTEMS[elimination].solve(events, parameters, solver=solver)
        pm.Normal("DV_Cc", path["Cc"], 0.7, observed=events["DV"]["Cc"], dims="obs_Cc")
    return model


def points(model, n, seed=1):
    rng = np.random.default_rng(seed)
    start = model.initial_point().values()
    return [[np.asarray(x + 0.2 * rng.normal(size=np.shape(x))) for x in start] for _ in range(n)]


def flat(gradient):
    return np.concatenate([np.ravel(x) for x in gradient])


@pytest.mark.parametrize(
    ("elimination", "solver"), CASES, ids=[f"{e} by {type(s).__name__}" for e, s in CASES]
)
def test_log_probability_and_gradient_are_those_of_the_compiled_graph(study, elimination, solver):
    """JAX's exponential differs in the last bit from LLVM's, which the steps of an integrator magnify."""
    model = model_of(study, elimination, solver)
    compiled = model.compile_fn([model.logp(), model.dlogp()], inputs=model.value_vars, point_fn=False)
    by_jax = jax.jit(jax.value_and_grad(get_jaxified_logp(model, negative_logp=False)))
    near, nearly = (1e-14, 1e-12) if isinstance(solver, Linear) else (1e-8, 1e-6)
    for point in points(model, 3):
        value, gradient = compiled(*point)
        negative, backward = by_jax(point)
        assert float(-negative) == pytest.approx(float(value), rel=near)
        np.testing.assert_allclose(
            -flat(backward), gradient, rtol=nearly, atol=nearly * np.abs(gradient).max()
        )


@pytest.mark.parametrize("solver", [Linear(), Rodas5P(), Tsit5(), Automatic(), CVODES()], ids=repr)
def test_the_numbers_are_the_same_to_the_last_bit_where_the_parameters_are(study, solver):
    inputs = pt.dvectors("KA", "ke", "k12", "k21")
    path = RATES.solve(
        study.events(), dict(zip(("KA", "ke", "k12", "k21"), inputs, strict=True)), solver=solver
    )
    slopes = pt.grad(pt.dot(path["Cc"], np.arange(18.0)), inputs)
    values = [np.array([x, 1.1 * x, 0.9 * x]) for x in (1.5, 0.2, 0.3, 0.1)]
    compiled, by_jax = (
        pytensor.function(inputs, [path["Cc"], *slopes], mode=mode)(*values) for mode in (None, "JAX")
    )
    for expected, found in zip(compiled, by_jax, strict=True):
        np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("elimination", SYSTEMS)
def test_the_gradient_is_that_of_finite_differences(study, elimination):
    solver = Linear() if elimination == "linear" else Rodas5P(rtol=1e-10)
    logp = jax.jit(get_jaxified_logp(model := model_of(study, elimination, solver)))
    (point,) = points(model, 1)
    gradient = jax.jit(jax.grad(logp))(point)
    direction = [np.cos(1.0 + np.arange(np.size(x))).reshape(np.shape(x)) for x in point]
    ahead, behind = (
        logp([x + step * d for x, d in zip(point, direction, strict=True)]) for step in (1e-5, -1e-5)
    )
    slope = flat(gradient) @ flat(direction)
    assert slope == pytest.approx(float(ahead - behind) / 2e-5, rel=1e-7)


def test_several_points_at_once_are_each_of_them(study):
    model = model_of(study, "saturable", Rodas5P())
    by_jax = jax.jit(jax.value_and_grad(get_jaxified_logp(model)))
    many = points(model, 40)  # more than are remembered between the ways forward and back
    values, gradients = jax.vmap(by_jax)([np.stack(x) for x in zip(*many, strict=True)])
    for k in (0, 7, 39):
        value, gradient = by_jax(many[k])
        assert float(values[k]) == pytest.approx(float(value), rel=1e-8)
        np.testing.assert_allclose(flat([x[k] for x in gradients]), flat(gradient), rtol=1e-6)


@pytest.mark.parametrize(
    ("elimination", "chain_method"),
    [("linear", "vectorized"), ("saturable", "parallel")],
)
def test_numpyro_samples(study, elimination, chain_method):
    with model_of(study, elimination, None):
        sampled = pm.sample(
            12, tune=15, chains=2, nuts_sampler="numpyro", random_seed=1, progressbar=False,
            compute_convergence_checks=False, nuts={"chain_method": chain_method, "max_tree_depth": 5},
        )  # fmt: skip
    volume = sampled.posterior["TVVc"].to_numpy()
    assert volume.shape == (2, 12)
    assert np.isfinite(sampled.sample_stats["lp"]).all()
    assert len(np.unique(volume)) > 10


def test_a_subject_that_cannot_be_solved_rejects_the_draw(study):
    with model_of(study, "saturable", Rodas5P(max_steps=12)) as model:
        logp = get_jaxified_logp(model, negative_logp=False)
        start = [np.asarray(x) for x in model.initial_point().values()]
        assert np.isnan(logp(start))
    with pm.Model() as model:
        lag = pm.Normal("lag", 0.5, 1.0)
        system = one_compartment(absorption="first-order", lag=True)
        path = system.solve(study.events(), TYPICAL["linear"] | {"tlag": lag})
        pm.Normal("DV_Cc", path["Cc"], 0.7, observed=study.events()["DV"]["Cc"])
        sampled = pm.sample(
            50, tune=50, chains=1, nuts_sampler="numpyro", random_seed=1, progressbar=False,
            compute_convergence_checks=False,
        )  # fmt: skip
    assert (sampled.posterior["lag"] >= 0).all()  # a negative lag has no solution


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64:UserWarning")
def test_single_precision_is_refused(study):
    logp = get_jaxified_logp(model := model_of(study, "linear", Linear()))
    (point,) = points(model, 1)
    with jax.enable_x64(False), pytest.raises(SolverError, match="float64"):
        logp([np.float32(x) for x in point])


def test_how_subjects_ended_is_not_for_jax(study):
    Vmax = pt.dscalar()
    path = SYSTEMS["saturable"].solve(study.events(), TYPICAL["saturable"] | {"Vmax": Vmax})
    with pytest.raises(SolverError, match=r"path\.status"):
        pytensor.function([Vmax], path.status().variables, mode="JAX")(1.0)


def test_importing_the_package_leaves_jax_alone():
    """Others put a lazy `jax` among the modules, which has no submodules until it is used."""
    code = (
        "import sys, qsp_bayes, qsp_bayes.systems\n"
        "assert 'qsp_bayes.ode.jax_rewrites' in sys.modules\n"
        "assert not {'qsp_bayes.ode.jax_functions', 'jax.numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
