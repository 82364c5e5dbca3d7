from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from precoding import (
    array_output_snr,
    crb_cbf,
    crb_comp,
    crb_slepian_bangs,
    echo_covariance,
    echo_jacobian,
    effective_information,
    fisher_information,
    interference_power,
    steering,
    steering_derivative,
)

N_RX, N_TX, L = 10, 6, 20
Array = NDArray[np.complex128]


def _scene(J: int, seed: int) -> tuple[NDArray[np.float64], Array, Array]:
    rng = np.random.default_rng(seed)
    angles = np.deg2rad(np.array([10.0, -25.0, 35.0]))[:J]
    reflections = np.exp(2j * np.pi * rng.random(J)) * np.array([1.0, 0.6, 0.5])[:J]
    X = rng.normal(size=(J * N_TX, L)) + 1j * rng.normal(size=(J * N_TX, L))
    return angles, reflections, X


def _mean(z: NDArray[np.float64], J: int, own: int, X: Array) -> Array:
    """The mean echo for parameters in the order of `echo_jacobian`."""
    angles = np.insert(z[1 + 2 * J :], own, z[0])
    alpha = z[1 : 1 + J] + 1j * z[1 + J : 1 + 2 * J]
    echo = (alpha[:, None] * steering(N_TX, angles)).ravel() @ X
    return np.outer(steering(N_RX, z[0]), echo)


def _central(f: Callable[[NDArray[np.float64]], Array], z: NDArray[np.float64]) -> list[Array]:
    """Central differences with Richardson extrapolation."""
    h = 1e-4
    steps = np.eye(len(z)) * h
    coarse = [(f(z + 2 * s) - f(z - 2 * s)) / (4 * h) for s in steps]
    fine = [(f(z + s) - f(z - s)) / (2 * h) for s in steps]
    return [(4 * a - b) / 3 for a, b in zip(fine, coarse, strict=True)]


def test_steering_is_phase_centred_and_its_derivative_is_orthogonal() -> None:
    v, dv = steering(7, 0.3), steering_derivative(7, 0.3)
    assert np.angle(v[3]) == 0.0
    assert abs(np.vdot(v, dv)) < 1e-12  # rounding of 7 terms
    assert steering(7, np.zeros((2, 3))).shape == (2, 3, 7)


@pytest.mark.parametrize(("J", "own"), [(1, 0), (2, 1), (3, 1)])
def test_fisher_matrix_equals_central_differences(J: int, own: int) -> None:
    angles, reflections, X = _scene(J, seed=J)
    z = np.concatenate([[angles[own]], reflections.real, reflections.imag, np.delete(angles, own)])
    C = echo_covariance(angles[own], 0.7, 1.3, N_RX)
    columns = _central(lambda at: _mean(at, J, own, X), z)
    expected = np.array([[2 * np.trace(a.conj().T @ np.linalg.solve(C, b)).real for b in columns] for a in columns])
    D = echo_jacobian(angles, reflections, own, N_TX, N_RX)
    fim = fisher_information(D, X @ X.conj().T, C)
    # 1e-8 of the geometric mean of the diagonal: the error of the differences at step 1e-4.
    assert np.max(np.abs(fim - expected) / np.sqrt(np.outer(np.diag(fim), np.diag(fim)))) < 1e-8
    assert np.linalg.eigvalsh(fim)[0] > 0.0


def test_comp_fisher_matrix_of_three_stations_is_not_indefinite() -> None:
    angles, reflections, _ = _scene(3, seed=5)
    w = _scene(3, seed=6)[2][:, :2]
    D = echo_jacobian(angles, reflections, 0, N_TX, N_RX)
    fim = fisher_information(D, w @ w.conj().T, np.eye(N_RX, dtype=complex))
    scale = np.sqrt(np.diag(fim))
    assert np.linalg.eigvalsh(fim / np.outer(scale, scale))[0] > -1e-12  # rounding of a singular matrix


def test_single_cell_bound_meets_its_closed_form() -> None:
    angles, reflections, X = _scene(1, seed=3)
    R: Array = X @ X.conj().T
    noise, v, dv = 0.5, steering(N_TX, angles[0]), steering_derivative(N_TX, angles[0])
    da2 = np.sum(np.abs(steering_derivative(N_RX, angles[0])) ** 2)
    g = [[(x @ R @ y.conj()).real if x is y else x @ R @ y.conj() for y in (v, dv)] for x in (v, dv)]
    transmit = N_RX * (g[1][1] - abs(g[0][1]) ** 2 / g[0][0])
    expected = noise / (2 * abs(reflections[0]) ** 2 * (da2 * g[0][0] + transmit))
    bound = crb_cbf(angles[0], reflections[0], R, noise * np.eye(N_RX, dtype=np.complex128))
    assert bound == pytest.approx(expected, rel=1e-12)
    assert crb_comp(0, angles, reflections, R, noise, N_RX) == pytest.approx(expected, rel=1e-12)


def test_one_stream_makes_the_matrix_singular_and_the_bound_finite() -> None:
    angles, reflections, X = _scene(2, seed=4)
    w = X[:, :1]
    D = echo_jacobian(angles, reflections, 0, N_TX, N_RX)
    fim = fisher_information(D, w @ w.conj().T, np.eye(N_RX, dtype=complex))
    assert np.linalg.matrix_rank(fim, tol=1e-9 * fim.max()) < len(fim)
    bound = crb_comp(0, angles, reflections, w @ w.conj().T, 1.0, N_RX)
    # One stream shows only the receive side: a known amplitude of the sum of paths, and da.
    echo = (reflections[:, None] * steering(N_TX, angles)).ravel() @ w[:, 0]
    da2 = np.sum(np.abs(steering_derivative(N_RX, angles[0])) ** 2)
    assert bound == pytest.approx(1 / (2 * abs(echo) ** 2 * da2), rel=1e-6)  # 1e-6: pseudo-inverse cut at 1e-12


def test_target_in_a_null_has_no_bound() -> None:
    v = steering(N_TX, 0.2)
    dark = steering_derivative(N_TX, 0.2).conj()
    gram = np.outer(dark, dark.conj())
    assert crb_cbf(0.2, 1.0, gram, np.eye(N_RX, dtype=complex)) == np.inf
    assert abs(v @ dark) < 1e-12  # the null is one


def test_effective_information_is_the_inverse_of_the_inverse() -> None:
    A = np.random.default_rng(0).normal(size=(5, 5))
    fim = A @ A.T * np.outer(s := 10.0 ** np.arange(-4, 1), s)
    # A matrix scaled over 8 decades loses about 1e-9 in a plain inverse.
    assert effective_information(fim) == pytest.approx(1 / np.linalg.inv(fim)[0, 0], rel=1e-8)


def _kl(z: NDArray[np.float64], z0: NDArray[np.float64], X: Array) -> float:
    """Kullback-Leibler divergence of the Gaussian frames at z from those at z0; z = theta, Re, Im alpha, q, sigma^2."""

    def of(z: NDArray[np.float64]) -> tuple[Array, Array]:
        return _mean(z[:3], 1, 0, X), echo_covariance(z[0], z[3], z[4], N_RX)

    (mu, C), (mu0, C0) = of(z), of(z0)
    ratio = np.linalg.solve(C, C0)
    far = mu - mu0
    log = np.linalg.slogdet(ratio)[1]
    return float(L * (np.trace(ratio).real - N_RX - log) + np.sum(far.conj() * np.linalg.solve(C, far)).real)


def test_slepian_bangs_bound_is_the_curvature_of_the_likelihood() -> None:
    angles, reflections, X = _scene(1, seed=7)
    q, noise = 0.8, 1.1
    z0 = np.array([angles[0], reflections[0].real, reflections[0].imag, q, noise])
    h = np.array([2e-4, 1e-3, 1e-3, 1e-3, 1e-3])
    fim = np.empty((5, 5))
    for i in range(5):
        for j in range(5):
            e, f = h[i] * np.eye(5)[i], h[j] * np.eye(5)[j]
            fim[i, j] = (
                _kl(z0 + e + f, z0, X) - _kl(z0 + e - f, z0, X) - _kl(z0 - e + f, z0, X) + _kl(z0 - e - f, z0, X)
            )
            fim[i, j] /= 4 * h[i] * h[j]
    bound = crb_slepian_bangs(angles[0], reflections[0], X @ X.conj().T, q, noise, N_RX, L)
    # Second differences of step 1e-3 leave about 1e-4.
    assert bound == pytest.approx(np.linalg.inv(fim)[0, 0], rel=1e-3)


def test_covariance_information_never_raises_the_bound() -> None:
    angles, reflections, X = _scene(1, seed=8)
    R = X @ X.conj().T
    mean_only = crb_cbf(angles[0], reflections[0], R, echo_covariance(angles[0], 0.8, 1.0, N_RX))
    assert crb_slepian_bangs(angles[0], reflections[0], R, 0.8, 1.0, N_RX, L) < mean_only
    silent = crb_slepian_bangs(angles[0], reflections[0], R, 0.0, 1.0, N_RX, L)
    quiet = crb_cbf(angles[0], reflections[0], R, np.eye(N_RX, dtype=complex))
    assert silent == pytest.approx(quiet, rel=1e-12)


def test_interference_covariance_is_that_of_the_foreign_echo() -> None:
    angles, reflections, X = _scene(3, seed=9)
    R = np.stack([x @ x.conj().T / L for x in X.reshape(3, N_TX, L)])
    echoes = [r * np.outer(steering(N_RX, 0.1), steering(N_TX, t)) for t, r in zip(angles, reflections, strict=True)]
    C = sum(G @ r @ G.conj().T for G, r in zip(echoes, R, strict=True)) + 0.4 * np.eye(N_RX)
    assert np.allclose(C, echo_covariance(0.1, interference_power(angles, reflections, R), 0.4, N_RX), rtol=1e-12)


def test_array_output_snr_is_that_of_the_beamformed_echo() -> None:
    angles, reflections, X = _scene(2, seed=10)
    echo = steering(N_RX, angles[0])[:, None] * ((reflections[:, None] * steering(N_TX, angles)).ravel() @ X)
    beamformed = steering(N_RX, angles[0]).conj() @ echo / np.sqrt(N_RX)
    expected = np.sum(np.abs(beamformed) ** 2) / 0.3
    assert array_output_snr(angles, reflections, X @ X.conj().T, 0.3, N_RX) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(1e-6, 1e6), st.floats(0, 2 * np.pi), st.floats(1e-6, 1e6))
def test_bounds_do_not_depend_on_units_or_on_the_common_phase(gain: float, phase: float, unit: float) -> None:
    angles, reflections, X = _scene(2, seed=11)
    R = X @ X.conj().T
    turned = reflections * gain * np.exp(1j * phase)
    same = crb_comp(0, angles, turned, R * unit, unit * gain**2, N_RX)
    # Scaling by 12 decades costs a few digits in the scaled eigenvalues.
    assert same == pytest.approx(crb_comp(0, angles, reflections, R, 1.0, N_RX), rel=1e-8)


@pytest.mark.parametrize(("J", "own"), [(1, 0), (2, 1), (3, 2)])
def test_bounds_in_closed_form_are_those_of_the_fisher_matrix(J: int, own: int) -> None:
    angles, reflections, X = _scene(J, seed=20 + J)
    gram = X @ X.conj().T
    D = echo_jacobian(angles, reflections, own, N_TX, N_RX)
    information = effective_information(fisher_information(D, gram, 0.7 * np.eye(N_RX, dtype=complex)))
    assert crb_comp(own, angles, reflections, gram, 0.7, N_RX) == pytest.approx(1 / information, rel=1e-9)
    rng = np.random.default_rng(J)
    root = rng.normal(size=(N_RX, 2 * N_RX)) + 1j * rng.normal(size=(N_RX, 2 * N_RX))
    C, own_gram = root @ root.conj().T, gram[:N_TX, :N_TX]
    D = echo_jacobian(angles[:1], reflections[:1], 0, N_TX, N_RX)
    information = effective_information(fisher_information(D, own_gram, C))
    assert crb_cbf(angles[0], reflections[0], own_gram, C) == pytest.approx(1 / information, rel=1e-9)
