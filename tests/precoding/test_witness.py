"""Proofs on a span against the same on all antennas, and what proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from precoding import HeardChannels, Network, Witness, design, echo_covariance, echo_jacobian, witnessed_information
from precoding.network import normalised

Make = Callable[..., Network]
Array = NDArray[np.complex128]


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape))


def _proof(net: Network, scheme: str, target: float, rng: np.random.Generator, *, basis: Array | None) -> Witness:
    """Any prices, and laws of channels that just fill their balls."""
    J, K, n_tx = net.J, net.K, net.n_tx
    groups = [list(range(J))] if scheme == "blp-comp" else [[m] for m in range(J)]
    p = 3 * len(groups[0])
    heard = []
    for stations in groups:
        h = net.channels[stations].transpose(1, 2, 0, 3).reshape(J * K, -1)
        radius2 = np.sum(net.csi_radius[stations] ** 2, axis=0).ravel()
        U = np.eye(len(stations) * n_tx, dtype=np.complex128) if basis is None else basis
        A = _normal(rng, J * K, U.shape[1], 2)
        C = A @ A.conj().swapaxes(1, 2)
        C *= (radius2 / 2 / np.einsum("uii->u", U @ C @ U.conj().T).real)[:, None, None]
        e = _normal(rng, J * K, U.shape[1]) @ U.conj().T
        e *= np.sqrt(radius2 / 2)[:, None] / np.linalg.norm(e, axis=1, keepdims=True)
        heard.append(HeardChannels(h + e, C, basis=basis))
    Z = rng.normal(size=(J, p, p))
    foreign = np.zeros(J) if scheme == "blp-comp" else rng.uniform(0.1, 1.0, J)
    return Witness(tuple(Z @ Z.swapaxes(1, 2)), rng.uniform(1, 2, J), None, rng.random(J * K), tuple(heard), foreign)


def _plain_bound(net: Network, target: float, witness: Witness) -> float:
    """The same bound from matrices of all antennas and the eigenvalues of every form."""
    J, K, n_tx = net.J, net.K, net.n_tx
    groups = [list(range(J))] if len(witness.heard) == 1 else [[m] for m in range(J)]
    paid = 0.0
    for stations, heard in zip(groups, witness.heard, strict=True):
        assert heard.covariances is not None
        C = heard.covariances if heard.basis is None else heard.basis @ heard.covariances @ heard.basis.conj().T
        X = np.einsum("ui,uj->uij", heard.means.conj(), heard.means) + C
        B = np.einsum("u,uij->ij", witness.users, X)
        for own, m in enumerate(stations):
            D = echo_jacobian(net.departure_angles[m, stations], net.reflections[m, stations], own, n_tx, net.n_rx)
            noise = echo_covariance(float(net.arrival_angles[m]), float(witness.foreign[m]), 1.0, net.n_rx)
            F = np.einsum("iax,ab,jby->ijxy", D.conj(), np.linalg.inv(noise), D, optimize=True)
            B -= 2.0 * net.block_length * np.einsum("ij,ijxy->xy", witness.sensing[m], F)
        price = witness.stations[stations].repeat(n_tx)
        least = min(
            np.linalg.eigvalsh((B - witness.users[u] * (1 + 1 / target) * X[u]) / np.sqrt(np.outer(price, price)))[0]
            for u in (m * K + k for m in stations for k in range(K))
        )
        paid += max(1.0, -least) * float(witness.stations[stations] @ net.power[stations])
    earned = float(witness.users @ net.user_noise.ravel())
    return (paid - earned) / sum(float(Z[0, 0]) for Z in witness.sensing)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
@pytest.mark.parametrize(("J", "K", "n_tx"), [(1, 2, 4), (2, 3, 10), (3, 1, 6), (2, 1, 64)])
def test_any_prices_prove_what_all_antennas_say(network: Make, scheme: str, J: int, K: int, n_tx: int) -> None:
    net = normalised(network(J, K, n_tx, seed=4, csi_radius=0.03))[0]
    witness = _proof(net, scheme, 3.0, np.random.default_rng([J, K]), basis=None)
    bound = witnessed_information(net, np.full((J, K), 3.0), witness)
    assert bound == pytest.approx(_plain_bound(net, 3.0, witness), rel=1e-9)


@pytest.mark.parametrize("orthonormal", [True, False])
def test_a_basis_of_the_laws_changes_no_proof(network: Make, orthonormal: bool) -> None:
    net, rng = normalised(network(1, 2, 32, seed=8, csi_radius=0.05))[0], np.random.default_rng(5)
    columns = np.concatenate([net.channels[0, 0].conj().T, _normal(rng, 32, 3)], axis=1)
    basis = np.linalg.qr(columns)[0] if orthonormal else columns
    witness = _proof(net, "blp-comp", 3.0, rng, basis=basis)
    spread = witness.heard[0].covariances
    assert spread is not None
    bound = witnessed_information(net, np.full((1, 2), 3.0), witness)
    assert bound == pytest.approx(_plain_bound(net, 3.0, witness), rel=1e-9)
    # A basis twice as long makes the law four times as wide: it must not pass for the same one.
    longer = replace(witness.heard[0], basis=np.asarray(2.0 * basis))
    assert witnessed_information(net, np.full((1, 2), 3.0), replace(witness, heard=(longer,))) == np.inf


def test_a_basis_that_holds_all_is_taken_as_the_span(network: Make) -> None:
    net = network(2, 3, 64, seed=1, csi_radius=0.01)
    answer = design(net, "blp-comp", min_sinr_db=10.0, tolerance=1e-3)
    assert answer.certificate.holds()
    assert answer.certificate.rcrb_rad.max() >= answer.certificate.bound_rcrb_rad * (1 - 1e-9)  # rounding


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(
    "part", ["sensing", "stations", "users", "foreign", "antennas", "means", "covariances", "basis"]
)
def test_a_witness_that_is_not_finite_proves_nothing(network: Make, part: str, bad: float) -> None:
    net = normalised(network(1, 2, 8, seed=4, csi_radius=0.03))[0]
    targets = np.full((1, 2), 3.0)
    witness = _proof(net, "blp-comp", 3.0, np.random.default_rng(6), basis=np.eye(8, dtype=np.complex128))
    assert witnessed_information(net, targets, witness) < np.inf
    of_channels = part in ("means", "covariances", "basis")
    whole: Any = getattr(witness.heard[0] if of_channels else witness, part)
    spoiled = np.zeros((1, 8)) if whole is None else np.array(whole)
    spoiled[(0,) * spoiled.ndim] = bad
    changes: dict[str, Any] = {part: tuple(spoiled) if part == "sensing" else spoiled}
    if of_channels:
        wrong = replace(witness, heard=(replace(witness.heard[0], **changes),))
    else:
        wrong = replace(witness, **changes)
    assert witnessed_information(net, targets, wrong) == np.inf


@pytest.mark.parametrize("target", [0.0, -1.0, np.nan])
def test_a_price_without_promise_proves_nothing(network: Make, target: float) -> None:
    net = normalised(network(1, 2, 8, seed=4, csi_radius=0.03))[0]
    witness = _proof(net, "blp-comp", 3.0, np.random.default_rng(6), basis=None)
    assert witnessed_information(net, np.array([[3.0, target]]), witness) == np.inf
