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
from qsp_bayes.ode.solvers import CVODES, Linear, Rodas5P, Tsit5

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
SOLVERS = {"linear": (Linear(), Rodas5P()), "saturable": (Rodas5P(), Tsit5(), CVODES(rtol=1e-6))}
CASES = [(elimination, solver) for elimination, solvers in SOLVERS.items() for solver in solvers]


@pytest.fixture(scope="module")
def study():
    rows = [
        {"ID": subject, "TIME": time, "AMT": 320.0 * (time == 0), "EVID": int(time == 0), "CMT": 1, "DV": 4.0 + k}
        for k, subject in enumerate(SUBJECTS)
        for time in (0.0, *TIMES)
    ]
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    return read_nonmem(pd.DataFrame(rows), units=units, compartments={1: "depot"}, outputs="Cc")


def model_of(study, elimination, solver):
    with pm.Model(coords=study.coords) as model:
        events = study.as_pymc_data()
        eta = pm.Normal("eta", dims="subject")
        parameters = {name: pm.LogNormal(f"TV{name}", np.log(x), 0.3) for name, x in TYPICAL[elimination].items()}
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


@pytest.mark.parametrize(("elimination", "solver"), CASES, ids=[f"{e} by {s}" for e, s in CASES])
def test_log_probability_and_gradient_are_those_of_the_compiled_graph(study, elimination, solver):
    model = model_of(study, elimination, solver)
    compiled = model.compile_fn([model.logp(), model.dlogp()], inputs=model.value_vars, point_fn=False)
    by_jax = jax.jit(jax.value_and_grad(get_jaxified_logp(model, negative_logp=False)))
    for point in points(model, 3):
        value, gradient = compiled(*point)
        negative, backward = by_jax(point)
        assert -negative == pytest.approx(value, rel=1e-14)
        np.testing.assert_allclose(-flat(backward), gradient, rtol=1e-12, atol=1e-13 * np.abs(gradient).max())


@pytest.mark.parametrize("elimination", SYSTEMS)
def test_the_states_are_the_same_to_the_last_bit(study, elimination):
    names = TYPICAL[elimination]
    inputs = [pt.dvector(name, shape=(3,)) for name in names]
    Cc = SYSTEMS[elimination].solve(study.events(), dict(zip(names, inputs, strict=True)))["Cc"]
    slopes = pt.grad(pt.dot(Cc, np.arange(18.0)), inputs)
    values = [np.array([x, 1.1 * x, 0.9 * x]) for x in names.values()]
    by_numba, by_jax = (
        [np.asarray(x) for x in pytensor.function(inputs, [Cc, *slopes], mode=mode)(*values)]
        for mode in ("NUMBA", "JAX")
    )
    np.testing.assert_array_equal(by_jax[0], by_numba[0])
    np.testing.assert_allclose(by_jax[1:], by_numba[1:], rtol=1e-13)


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
    slope = sum(np.sum(g * d) for g, d in zip(gradient, direction, strict=True))
    assert slope == pytest.approx((ahead - behind) / 2e-5, rel=1e-7)


def test_several_points_at_once_are_each_of_them(study):
    model = model_of(study, "saturable", Rodas5P())
    by_jax = jax.jit(jax.value_and_grad(get_jaxified_logp(model)))
    many = points(model, 40)  # more than are remembered between the ways forward and back
    values, gradients = jax.vmap(by_jax)([np.stack(x) for x in zip(*many, strict=True)])
    for k in (0, 7, 39):
        value, gradient = by_jax(many[k])
        assert values[k] == value
        np.testing.assert_array_equal(flat([x[k] for x in gradients]), flat(gradient))


@pytest.mark.parametrize("elimination", SYSTEMS)
@pytest.mark.parametrize("chain_method", ["parallel", "vectorized"])
def test_numpyro_samples(study, elimination, chain_method):
    with model_of(study, elimination, None):
        sampled = pm.sample(
            20, tune=30, chains=2, nuts_sampler="numpyro", random_seed=1, progressbar=False,
            compute_convergence_checks=False, nuts_sampler_kwargs={"chain_method": chain_method},
        )  # fmt: skip
    volume = sampled.posterior["TVVc"].to_numpy()
    assert volume.shape == (2, 20)
    assert np.isfinite(sampled.sample_stats["lp"]).all()
    assert len(np.unique(volume)) > 20


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


def test_single_precision_is_refused(study):
    logp = get_jaxified_logp(model := model_of(study, "linear", Linear()))
    (point,) = points(model, 1)
    with jax.enable_x64(False), pytest.raises(SolverError, match="float64"):
        logp([np.float32(x) for x in point])


def test_how_subjects_ended_is_not_for_jax(study):
    Vmax = pt.dscalar()
    path = SYSTEMS["saturable"].solve(study.events(), TYPICAL["saturable"] | {"Vmax": Vmax})
    with pytest.raises(SolverError, match=r"path\.status"):
        pytensor.function([Vmax], path.status.variables, mode="JAX")(1.0)


def test_nothing_of_the_package_imports_jax():
    code = (
        "import importlib.abc, sys\n"
        "class NoJax(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] == 'jax': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoJax())\n"
        "import qsp_bayes\n"
        "assert not any(name.split('.')[0] == 'jax' for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
