"""Correlation matrices under an LKJ prior, built from independent partial correlations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from qsp_bayes.calibration.prior import Prior
from qsp_bayes.errors import PriorError


@dataclass(frozen=True)
class CorrelationFactor:
    r"""The Cholesky factor L of a correlation matrix, :math:`C = L L^\top`; `rows` are those of its lower triangle."""

    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def create(cls, name: str, names: Sequence[str], prior: Any) -> CorrelationFactor:
        r"""Create a correlation matrix with an LKJ prior in the current model.

        Under LKJ(:math:`\nu`) the partial correlations :math:`r_{ij}` (of j and i given those before j) are
        independent, :math:`(1 + r_{ij}) / 2 \sim \mathrm{Beta}(b, b)` with :math:`b = \nu + (n - 2 - j) / 2`, and

        .. math:: L_{ij} = r_{ij} \prod_{k < j} \sqrt{1 - r_{ik}^2}, \qquad L_{ii} = \prod_{k < i} \sqrt{1 - r_{ik}^2}

        The sampler sees the vector ``<name>_canonical`` of :math:`(1 + r_{ij}) / 2`; the matrix is the deterministic
        variable ``<name>``.

        Parameters
        ----------
        name : str
        names : sequence of str
            What is correlated: the coordinate of the dims ``parameter`` and ``parameter_bis``.
        prior : Prior
            ``LKJCorr`` with its `eta`.

        References
        ----------
        Lewandowski D, Kurowicka D, Joe H (2009) Generating random correlation matrices based on vines and extended
        onion method. J Multivariate Anal 100:1989-2001.
        """
        if not isinstance(prior, Prior) or prior.distribution != "LKJCorr":
            raise PriorError(f'{name}: expected distribution = "LKJCorr" with eta; got {prior!r}.')
        n = len(names)
        pairs = [(i, j) for i in range(1, n) for j in range(i)]
        pm.modelcontext(None).add_coords(
            {
                "parameter": tuple(names),
                "parameter_bis": tuple(names),
                "parameter_pair": [f"{names[i]}, {names[j]}" for i, j in pairs],
            }
        )
        b = np.array([prior.parameters["eta"] + (n - 2 - j) / 2 for _, j in pairs])
        canonical = pm.Beta(f"{name}_canonical", alpha=b, beta=b, dims="parameter_pair")
        partial = dict(zip(pairs, (2.0 * canonical[k] - 1.0 for k in range(len(pairs))), strict=True))
        rows = []
        for i in range(n):
            left: Any = pt.constant(1.0)
            row = []
            for j in range(i):
                row.append(partial[i, j] * left)
                left = left * pt.sqrt(1.0 - pt.sqr(partial[i, j]))
            rows.append((*row, left))
        factor = cls(tuple(rows))
        matrix = [[factor.product(i, j) for j in range(n)] for i in range(n)]
        pm.Deterministic(
            name, pt.stack([pt.stack(row) for row in matrix]), dims=("parameter", "parameter_bis")
        )
        return factor

    def product(self, i: int, j: int) -> Any:
        """Give the correlation of i and j."""
        if i == j:
            return pt.constant(1.0)
        return sum(a * b for a, b in zip(self.rows[i], self.rows[j], strict=False))

    def correlate(self, independent: Sequence[Any]) -> list[Any]:
        """Turn independent standard normal vectors into correlated ones."""
        return [sum(a * z for a, z in zip(row, independent, strict=False)) for row in self.rows]

    @property
    def matrix(self) -> Any:
        """The factor as a lower triangular matrix."""
        zero, n = pt.constant(0.0), len(self.rows)
        return pt.stack([pt.stack([*row, *[zero] * (n - len(row))]) for row in self.rows])
