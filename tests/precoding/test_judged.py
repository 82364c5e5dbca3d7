"""The compiled and condensed judges against plain formulations of the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from precoding import (
    ArgumentError,
    Network,
    array_output_snr,
    certify,
    crb_cbf,
    crb_comp,
    echo_covariance,
    echo_jacobian,
    sinr,
    worst_case_sinr,
)
from precoding.certificate import foreign_reflections, foreign_reflections_of
from precoding.fisher import echo_derivatives, illuminations, receive_gains
from precoding.judged_kernels import are_positive, largest_deficit
from precoding.network import exactly_known
from precoding.worst_case import smallest_form

Make = Callable[..., Network]
Array = NDArray[np.complex128]
SIZES = [(1, 1, 2), (1, 3, 10), (2, 3, 10), (2, 2, 256), (3, 3, 10), (3, 2, 64)]


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape))


def _weights(net: Network, scheme: str, rng: np.random.Generator, sensing: int = 0) -> Array:
    """Weights that serve users better than noise would: conjugate beams and something random."""
    streams = net.K if scheme == "blp-cbf" else net.J * net.K
    W = 0.3 * _normal(rng, net.J, net.n_tx, streams + sensing)
    for m, k in np.ndindex(net.J, net.K):
        if scheme == "blp-cbf":
            W[m, :, k] += net.channels[m, m, k].conj()
        else:
            W[:, :, m * net.K + k] += net.channels[:, m, k].conj()
    return np.asarray(W / np.linalg.norm(W, axis=(1, 2), keepdims=True))


@dataclass(frozen=True, eq=False)
class _User:
    """What one user hears: its conjugate channel, the ball, the streams of its BSs, its own one, and noise."""

    x: Array
    radius: float
    streams: Array
    own: int
    noise: float

    def is_promised(self, ratio: float) -> bool:
        """Whether no channel of the ball makes signal - ratio * others less than ratio * noise."""
        signal = np.outer(self.streams[:, self.own], self.streams[:, self.own].conj())
        others = self.streams @ self.streams.conj().T - signal
        return smallest_form(signal - ratio * others, self.x, self.radius)[0] >= ratio * self.noise

    def largest_promise(self) -> float:
        low, high = 0.0, float(abs(np.vdot(self.x, self.streams[:, self.own])) ** 2) / self.noise
        for _ in range(70):
            middle = (low + high) / 2
            low, high = (middle, high) if self.is_promised(middle) else (low, middle)
        return low


def _users(net: Network, W: Array, scheme: str) -> list[_User]:
    users = []
    for m, k in np.ndindex(net.J, net.K):
        noise = float(net.user_noise[m, k])
        if scheme == "blp-comp":
            x, radius = net.channels[:, m, k].conj().ravel(), float(np.linalg.norm(net.csi_radius[:, m, k]))
            users.append(_User(x, radius, W.reshape(-1, W.shape[2]), m * net.K + k, noise))
            continue
        for n in set(range(net.J)) - {m}:
            x, radius = net.channels[n, m, k].conj(), float(net.csi_radius[n, m, k])
            noise -= smallest_form(-W[n] @ W[n].conj().T, x, radius)[0]
        users.append(_User(net.channels[m, m, k].conj(), float(net.csi_radius[m, m, k]), W[m], k, noise))
    return users


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
@pytest.mark.parametrize(("J", "K", "n_tx"), [s for s in SIZES if s[2] <= 10])
@pytest.mark.parametrize("radius", [0.0, 0.01, 0.3])
def test_worst_ratio_is_where_bisection_ends(
    network: Make, scheme: str, J: int, K: int, n_tx: int, radius: float
) -> None:
    rng = np.random.default_rng([J, K, n_tx])
    net = replace(network(J, K, n_tx, seed=5), csi_radius=radius * rng.uniform(0.5, 1.5, (J, J, K)))
    W = _weights(net, scheme, rng, sensing=1)
    worst = worst_case_sinr(net, W, cooperate=scheme == "blp-comp")
    plain = [user.largest_promise() for user in _users(net, W, scheme)]
    # 70 halvings of at most 1e5, and 1e-12 of Dinkelbach's iteration.
    assert np.allclose(worst.ravel(), plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_many_antennas_are_judged_in_the_span_of_the_streams(network: Make, scheme: str) -> None:
    rng = np.random.default_rng(3)
    net = network(2, 2, 256, seed=6, csi_radius=0.05)
    W = _weights(net, scheme, rng)
    worst = worst_case_sinr(net, W, cooperate=scheme == "blp-comp")
    for ratio, user in zip(worst.ravel(), _users(net, W, scheme), strict=True):
        # The plain one rounds in 512 dimensions.
        assert user.is_promised(ratio * (1 - 1e-8))
        assert not user.is_promised(ratio * (1 + 1e-8))
    known = worst_case_sinr(exactly_known(net), W, cooperate=scheme == "blp-comp")
    nominal = sinr(net.channels, W, net.user_noise, cooperate=scheme == "blp-comp")
    assert np.allclose(known, nominal, rtol=1e-10)  # rounding of sums of 512
    assert np.all(worst < nominal)


def test_worst_ratio_of_a_kink_meets_its_closed_form() -> None:
    # The interferer is orthogonal to the estimate: every phase of the error is equally bad (the hard case).
    H = np.array([2.0, 0.0, 0.0], dtype=np.complex128).reshape(1, 1, 1, 3).repeat(2, axis=2)
    H[0, 0, 1] = [0.0, 2.0, 0.0]
    net = Network(H, [0.1], [[0.1]], [[1.0]], 4, 10.0, 1.0, 1.0, 0.5, 4)
    W = np.zeros((1, 3, 2), dtype=np.complex128)
    W[0, 0, 0] = W[0, 1, 1] = 1.0
    # |e_0|^2 + |e_1|^2 = 1/4: minimise (2 - c)^2 / (1/4 - c^2 + 1) over 0 <= c <= 1/2, by a fine grid.
    c = np.linspace(0.0, 0.5, 200001)
    assert worst_case_sinr(net, W)[0, 0] == pytest.approx(np.min((2 - c) ** 2 / (1.25 - c**2)), rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_null_to_rounding_is_judged_like_a_null(seed: int) -> None:
    # x is orthogonal to the streams but for rounding: the loudest error of radius r hears r^2 times their largest gain.
    rng = np.random.default_rng(seed)
    streams = _normal(rng, 5, 2)
    x = _normal(rng, 5)
    x -= streams @ np.linalg.lstsq(streams, x)[0]
    radius = 10.0 ** rng.uniform(-1, 0)
    M = -streams @ streams.conj().T
    value, where = smallest_form(M, x, radius)
    # Rounding leaves about 1e-15 of x in the span, and eigenvalues outside of it, each 1e-14 of radius^2 or less.
    assert -value == pytest.approx(radius**2 * np.linalg.norm(streams, 2) ** 2, rel=1e-11)
    assert np.linalg.norm(where - x) == pytest.approx(radius, rel=1e-11)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_streams_in_nulls_are_judged_like_the_plain_statement(network: Make, scheme: str) -> None:
    net = network(2, 2, 8, seed=3, csi_radius=0.03)
    W = np.stack([np.linalg.pinv(net.channels[m].reshape(4, 8)) for m in range(2)])
    if scheme == "blp-cbf":
        W = np.stack([W[0][:, :2], W[1][:, 2:]])
    worst = worst_case_sinr(net, W, cooperate=scheme == "blp-comp")
    plain = [user.largest_promise() for user in _users(net, W, scheme)]
    assert np.allclose(worst.ravel(), plain, rtol=1e-9)  # 70 halvings


def test_a_ball_that_holds_a_null_promises_nothing(network: Make) -> None:
    net = network(2, 2, 6, seed=2, csi_radius=10.0)
    W = _weights(net, "blp-comp", np.random.default_rng(1))
    assert np.all(worst_case_sinr(net, W, cooperate=True) < 1e-12)  # (|h^T w| - radius |w|)_+ is 0; rounding


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_weights_that_are_not_finite_hold_nothing(network: Make, scheme: str, bad: float) -> None:
    net = network(2, 2, 4)
    W = _weights(net, scheme, np.random.default_rng(0))
    W[1, 2, 0] = bad
    assert not np.any(worst_case_sinr(net, W, cooperate=scheme == "blp-comp") >= 0.0)
    with pytest.raises(ArgumentError, match="weights: 1 values are NaN or infinite"):
        certify(net, W, min_sinr_db=np.full((2, 2), -100.0), bound_information=1.0, rank_loss=0.0)


@pytest.mark.parametrize("bound", [np.nan, np.inf, -1.0])
def test_no_bound_is_no_proof(network: Make, bound: float) -> None:
    net = network(2, 2, 4)
    W = 0.5 * _weights(net, "blp-comp", np.random.default_rng(0))
    targets = np.full((2, 2), -100.0)
    certificate = certify(net, W, min_sinr_db=targets, bound_information=bound, rank_loss=0.0)
    assert certificate.is_feasible()
    assert not certificate.holds()


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
@pytest.mark.parametrize(("J", "K", "n_tx"), SIZES)
def test_sensing_of_weights_is_that_of_their_covariances(network: Make, scheme: str, J: int, K: int, n_tx: int) -> None:
    net = network(J, K, n_tx, seed=7)
    W = _weights(net, scheme, np.random.default_rng([4, J, n_tx]), sensing=2)
    comp, L = scheme == "blp-comp", net.block_length
    judged = certify(net, W, min_sinr_db=np.zeros((J, K)), bound_information=np.inf, rank_loss=0.0, cooperate=comp)
    covariances = W @ W.conj().transpose(0, 2, 1)
    foreign = foreign_reflections(net, covariances)
    assert np.allclose(foreign_reflections_of(net, W), foreign, rtol=1e-10)  # the same sums in another order
    whole = W.reshape(J * n_tx, -1)
    for m in range(J):
        angles, reflections, noise = net.departure_angles[m], net.reflections[m], float(net.radar_noise[m])
        if comp:
            gram = L * whole @ whole.conj().T
            variance = crb_comp(m, angles, reflections, gram, noise, net.n_rx)
        else:
            gram, angles, reflections = L * covariances[m], angles[m : m + 1], reflections[m : m + 1]
            C = echo_covariance(float(angles[0]), float(foreign[m]), noise, net.n_rx)
            variance = crb_cbf(float(angles[0]), complex(reflections[0]), gram, C)
        # Nuisances are taken out of a matrix of condition up to 1e4.
        assert judged.rcrb_rad[m] == pytest.approx(np.sqrt(variance), rel=1e-9)
        snr_db = 10 * np.log10(array_output_snr(angles, reflections, gram, noise, net.n_rx))
        assert judged.array_output_snr_db[m] == pytest.approx(snr_db, abs=1e-8)


def test_condensed_derivatives_are_those_of_the_echo(network: Make) -> None:
    net = network(3, 1, 5, seed=3)
    X, foreign = _normal(np.random.default_rng(2), 3, 5, 4), np.array([0.3, 0.0, 2.0])
    gains = receive_gains(net.arrival_angles, foreign, net.radar_noise, net.n_rx)
    D = echo_derivatives(illuminations(net.departure_angles, X), net.reflections, np.arange(3), gains)
    for m in range(3):
        plain = echo_jacobian(net.departure_angles[m], net.reflections[m], m, 5, net.n_rx) @ X.reshape(15, 4)
        C = echo_covariance(float(net.arrival_angles[m]), float(foreign[m]), float(net.radar_noise[m]), net.n_rx)
        expected = np.einsum("iat,ab,jbt->ij", plain.conj(), np.linalg.inv(C), plain, optimize=True)
        found = np.einsum("iat,jat->ij", D[m].conj(), D[m])
        assert np.allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())  # inverse of C


def test_a_deficit_is_that_of_the_least_eigenvalue() -> None:
    rng = np.random.default_rng(9)
    for n in (1, 6, 20):
        A = _normal(rng, 7, n, n)
        forms = A + A.conj().swapaxes(1, 2)
        least = np.linalg.eigvalsh(forms)[:, 0].min()
        assert largest_deficit(forms, 1e-10) == pytest.approx(1e-10 - least, rel=1e-12)
        raised = forms + (1.0 - least) * np.eye(n)
        assert largest_deficit(raised, 1e-10) == 0.0
        assert are_positive(raised, np.zeros(7))
        assert not are_positive(forms, np.full(7, -least * (1 - 1e-9)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_forms_that_are_not_finite_are_never_positive(bad: float) -> None:
    for where in ((0, 0), (1, 0), (2, 2)):
        forms = np.eye(3, dtype=np.complex128)[None].repeat(2, axis=0)
        forms[1][where] = bad
        assert largest_deficit(forms, 0.0) == np.inf
        assert not are_positive(forms, np.zeros(2))
    skew = np.eye(3, dtype=np.complex128)[None].copy()
    skew[0, 2, 0] = 0.1
    assert not are_positive(skew, np.full(1, 1e-3))  # its lower triangle alone would pass


def test_importing_the_core_compiles_nothing() -> None:
    script = "import sys, precoding; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
