from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import Network, crb_cbf, crb_comp, echo_covariance
from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.cluster import clusters
from precoding.blocklevel.conic import solve_conic
from precoding.blocklevel.conic_channels import worst_errors
from precoding.blocklevel.conic_cones import doubled, from_vector, symmetric, to_vector
from precoding.blocklevel.conic_margin import largest_common_sinr_conic, largest_margin_conic
from precoding.blocklevel.relaxation import Relaxation
from precoding.blocklevel.task import Task
from precoding.network import normalised
from precoding.reference.joint_block_level import joint_block_level
from precoding.witness import witnessed_information, witnessed_margin
from precoding.worst_case import smallest_form

Make = Callable[..., Network]

ROBUSTNESS = ["none", "paper", "exact"]
# Clarabel ends at 1e-8 of its own scale; the mean in the objective costs the smallest information up to 1e-5 of it.
SOLVER = 1e-5
MISSED = 3e-5  # of the noise: the exchange stops at 1e-5


def task_of(network: Network, scheme: str, robustness: str, min_sinr_db: float, sensing_streams: int = 0) -> Task:
    unit, _ = normalised(network)
    if robustness == "none":
        unit = replace(unit, csi_radius=np.zeros_like(unit.csi_radius))
    targets = np.full((unit.J, unit.K), 10 ** (min_sinr_db / 10))
    return Task(unit, clusters(unit, cooperate=scheme == "blp-comp"), robustness, targets, sensing_streams)


def solved(task: Task, foreign: FloatArray | None = None) -> Relaxation:
    relaxation = solve_conic(task, np.zeros(task.network.J) if foreign is None else foreign, None)
    assert relaxation is not None
    assert relaxation.status == "Solved"
    return relaxation


def information(task: Task, relaxation: Relaxation, foreign: FloatArray) -> float:
    """Smallest information of the covariances on antennas, by the code that judges designs."""
    network, least = task.network, np.inf
    for cluster, W in zip(task.clusters, relaxation.covariances, strict=True):
        gram = network.block_length * W.sum(axis=0)
        for m in cluster.stations:
            angle = float(network.arrival_angles[m])
            if len(cluster.stations) == 1:
                C = echo_covariance(angle, float(foreign[m]), 1.0, network.n_rx)
                variance = crb_cbf(angle, complex(network.reflections[m, m]), gram, C)
            else:
                variance = crb_comp(m, network.departure_angles[m], network.reflections[m], gram, 1.0, network.n_rx)
            least = min(least, 1.0 / variance)
    return least


def heard(W: ComplexArray, h: ComplexArray, radius: float) -> float:
    """Prop. 3, (34): the most that a user can hear of a stream, as the paper bounds it."""
    nominal = float((h @ W @ h.conj()).real)
    return nominal + radius**2 * float(np.trace(W).real) + 2 * radius * float(np.linalg.norm(W @ h.conj()))


def bearable_noise(task: Task, relaxation: Relaxation) -> FloatArray:
    """Noise power that each user can have at its target, on antennas and by code of its own."""
    network, borne = task.network, np.zeros(task.targets.shape)
    for cluster, W in zip(task.clusters, relaxation.covariances, strict=True):
        links = network.channels[list(cluster.stations)].transpose(1, 2, 0, 3).reshape(len(borne), -1)
        for user, h in enumerate(links):
            own = cluster.users.index(user) if user in cluster.users else None
            signal = np.zeros_like(W[0]) if own is None else W[own] / task.targets[user]
            others = [one for column, one in enumerate(W) if column != own]
            if task.robustness == "exact":
                borne[user] += smallest_form(signal - sum(others), h.conj(), float(cluster.radii[user]))[0]
            else:
                borne[user] += float((h @ signal @ h.conj()).real)
                borne[user] -= sum(heard(one, h, float(cluster.radii[user])) for one in others)
    return borne


@pytest.mark.parametrize("robustness", ROBUSTNESS)
@pytest.mark.parametrize(
    ("scheme", "J", "K", "n_tx", "min_sinr_db"),
    [("blp-cbf", 2, 3, 6, 8.0), ("blp-comp", 2, 2, 4, 10.0), ("blp-comp", 2, 1, 4, 0.0), ("blp-cbf", 3, 1, 16, 20.0)],
)
def test_a_witness_proves_every_optimum(
    network: Make, scheme: str, J: int, K: int, n_tx: int, min_sinr_db: float, robustness: str
) -> None:
    task = task_of(network(J, K, n_tx, seed=1), scheme, robustness, min_sinr_db)
    foreign = np.zeros(J) if scheme == "blp-comp" else np.linspace(0.1, 0.3, J)
    relaxation = solved(task, foreign)
    assert relaxation.witness is not None
    reached = information(task, relaxation, foreign)
    assert relaxation.information == pytest.approx(reached, rel=1e-7)  # the same matrix, summed in another order
    bound = witnessed_information(task.network, task.min_sinr, relaxation.witness)
    assert -SOLVER < bound / reached - 1.0 < (MISSED if robustness == "exact" else SOLVER)
    assert np.all(bearable_noise(task, relaxation) >= 1.0 - MISSED)
    for cluster, W in zip(task.clusters, relaxation.covariances, strict=True):
        power = np.einsum("sii->i", W).real.reshape(len(cluster.stations), n_tx).sum(axis=1)
        assert np.all(power <= 1.0 + SOLVER)


@pytest.mark.parametrize("robustness", ROBUSTNESS)
@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_the_optimum_is_that_of_the_plain_statement(network: Make, scheme: str, robustness: str) -> None:
    net = network(2, 2, 4, seed=3, csi_radius=0.02)
    task, foreign = task_of(net, scheme, robustness, 8.0), np.array([0.2, 0.1]) * (scheme == "blp-cbf")
    plain = joint_block_level(net, scheme, task.min_sinr, robustness, foreign)
    assert plain is not None
    # What the plain statement loses by stopping early.
    assert solved(task, foreign).information == pytest.approx(plain.information, rel=1e-4)


@pytest.mark.parametrize("robustness", ROBUSTNESS)
@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_limits_of_single_antennas_are_kept_and_priced(network: Make, scheme: str, robustness: str) -> None:
    net = network(2, 2, 4, seed=2)
    limited = replace(net, antenna_power=np.full((2, 4), 0.26))
    task = task_of(limited, scheme, robustness, 5.0)
    relaxation = solved(task)
    each = [np.einsum("sii->i", W).real for W in relaxation.covariances]
    assert np.max(np.concatenate(each)) <= 0.26 * (1.0 + SOLVER)
    assert relaxation.witness is not None
    assert relaxation.witness.antennas is not None
    bound = witnessed_information(task.network, task.min_sinr, relaxation.witness)
    assert bound == pytest.approx(relaxation.information, rel=SOLVER)
    assert bound < solved(task_of(net, scheme, robustness, 5.0)).information


def test_streams_that_only_sense_cannot_lower_the_optimum(network: Make) -> None:
    net = network(2, 2, 4, seed=4, csi_radius=0.05)
    for robustness in ROBUSTNESS:
        without = solved(task_of(net, "blp-comp", robustness, 8.0))
        with_them = solved(task_of(net, "blp-comp", robustness, 8.0, sensing_streams=3))
        assert with_them.covariances[0].shape == (5, 8, 8)
        assert with_them.information >= without.information * (1.0 - SOLVER)
        assert with_them.witness is not None
        task = task_of(net, "blp-comp", robustness, 8.0)
        bound = witnessed_information(task.network, task.min_sinr, with_them.witness)
        assert bound == pytest.approx(with_them.information, rel=SOLVER)


def test_more_must_be_withstood_less_is_sensed(network: Make) -> None:
    net = network(2, 2, 6, seed=5, csi_radius=0.03)
    none, exact = (solved(task_of(net, "blp-cbf", kind, 10.0)).information for kind in ("none", "exact"))
    assert exact < none * (1.0 - 1e-3)


@pytest.mark.parametrize("robustness", ROBUSTNESS)
def test_a_user_without_target_is_no_special_case(network: Make, robustness: str) -> None:
    task = task_of(network(2, 2, 4), "blp-cbf", robustness, 5.0)
    targets = task.min_sinr.copy()
    targets[0, 1] = 0.0
    freed = replace(task, min_sinr=targets)
    relaxation = solved(freed)
    assert relaxation.witness is not None
    assert relaxation.witness.users[1] == 0.0
    bound = witnessed_information(freed.network, targets, relaxation.witness)
    assert bound == pytest.approx(relaxation.information, rel=SOLVER)
    assert relaxation.information > solved(task).information


def test_users_with_and_without_uncertainty_are_served_together(network: Make) -> None:
    net = network(2, 2, 4, seed=8, csi_radius=0.05)
    radius = net.csi_radius.copy()
    radius[:, 0, 0] = 0.0
    mixed = replace(net, csi_radius=radius)
    for robustness in ("paper", "exact"):
        task = task_of(mixed, "blp-cbf", robustness, 5.0)
        relaxation = solved(task)
        assert relaxation.witness is not None
        bound = witnessed_information(task.network, task.min_sinr, relaxation.witness)
        assert bound == pytest.approx(relaxation.information, rel=MISSED)
        assert np.all(bearable_noise(task, relaxation) >= 1.0 - MISSED)
        assert relaxation.information > solved(task_of(net, "blp-cbf", robustness, 5.0)).information


def test_many_antennas_cost_no_accuracy(network: Make) -> None:
    sizes = set()
    for n_tx in (16, 128):
        task = task_of(network(1, 3, n_tx), "blp-comp", "exact", 15.0)
        relaxation = solved(task)
        sizes.add(task.clusters[0].basis.shape[1])
        assert relaxation.witness is not None
        bound = witnessed_information(task.network, task.min_sinr, relaxation.witness)
        assert bound == pytest.approx(relaxation.information, rel=SOLVER)
    assert len(sizes) == 1  # nor time: the cones are of the same size


def test_what_is_infeasible_has_no_optimum_and_a_proof(network: Make) -> None:
    for robustness in ROBUSTNESS:
        task = task_of(network(2, 2, 4), "blp-comp", robustness, 34.0)
        assert solve_conic(task, np.zeros(2), None) is None
        margin = largest_margin_conic(task)
        assert margin is not None
        assert margin.db < 0.0
        assert witnessed_margin(task.network, task.min_sinr, margin.witness) < 1.0


@pytest.mark.parametrize(("robustness", "reached"), [("none", 1.0), ("paper", 1.0), ("exact", (1.0 - 0.1) ** 2)])
def test_the_margin_of_one_user_is_its_link_budget(network: Make, robustness: str, reached: float) -> None:
    net = network(1, 1, 8)
    net = replace(net, csi_radius=np.full((1, 1, 1), 0.1 * np.linalg.norm(net.channels)))
    task = task_of(net, "blp-cbf", robustness, 10.0)
    margin = largest_margin_conic(task)
    assert margin is not None
    budget_db = 10 * np.log10(reached * np.linalg.norm(task.network.channels) ** 2)
    assert margin.db == pytest.approx(budget_db - 10.0, abs=1e-3)  # the exchange stops at 1e-5
    assert margin.user_shares == pytest.approx(np.ones((1, 1)))
    assert margin.station_shares == pytest.approx(np.ones(1))
    largest_db = largest_common_sinr_conic(task)
    assert largest_db == pytest.approx(budget_db, abs=0.011)  # asked for within 0.01 dB
    assert largest_db <= budget_db + 1e-3


@pytest.mark.parametrize("robustness", ROBUSTNESS)
def test_the_largest_common_sinr_is_where_the_margin_ends(network: Make, robustness: str) -> None:
    task = task_of(network(2, 2, 4, seed=6), "blp-cbf", robustness, 0.0)
    largest_db = largest_common_sinr_conic(task)
    for beyond_db, sign in ((-0.05, 1.0), (0.05, -1.0)):
        margin = largest_margin_conic(replace(task, min_sinr=np.full((2, 2), 10 ** ((largest_db + beyond_db) / 10))))
        assert margin is not None
        assert sign * margin.db > 0.0


def test_a_margin_names_the_user_that_limits(network: Make) -> None:
    task = task_of(network(2, 2, 6, seed=7), "blp-comp", "none", 10.0)
    targets = task.min_sinr.copy()
    targets[1, 0] *= 1e3
    margin = largest_margin_conic(replace(task, min_sinr=targets))
    assert margin is not None
    assert margin.user_shares.argmax() == 2  # user 0 of cell 1
    assert margin.user_shares.sum() == pytest.approx(1.0)
    assert margin.station_shares.sum() == pytest.approx(1.0)


def test_worst_channels_are_those_of_the_judge(network: Make) -> None:
    task = task_of(network(2, 2, 4, csi_radius=0.05), "blp-cbf", "exact", 5.0)
    rng = np.random.default_rng(0)
    reduced, lifted = [], []
    for cluster in task.clusters:
        w = rng.normal(size=(2, cluster.basis.shape[1])) + 1j * rng.normal(size=(2, cluster.basis.shape[1]))
        reduced.append(np.einsum("ki,kj->kij", w, w.conj()))
        lifted.append(cluster.basis @ reduced[-1] @ cluster.basis.conj().T)
    borne, errors = worst_errors(task, reduced)
    judged = Relaxation(tuple(lifted), 0.0, "", 0.0)
    assert borne == pytest.approx(bearable_noise(task, judged), rel=1e-9)  # both in closed form but for a bisection
    for cluster, of_users in zip(task.clusters, errors, strict=True):
        for e, radius in zip(of_users, cluster.radii, strict=True):
            assert np.linalg.norm(e, axis=1) == pytest.approx(np.full(2, radius))


def test_hermitian_matrices_keep_their_products_as_vectors() -> None:
    rng = np.random.default_rng(1)
    A = rng.normal(size=(2, 5, 5)) + 1j * rng.normal(size=(2, 5, 5))
    A = A + A.conj().swapaxes(1, 2)
    v = to_vector(A)
    assert from_vector(v) == pytest.approx(A)
    assert v[0] @ v[1] == pytest.approx(np.trace(A[0] @ A[1]).real)
    assert to_vector(A[:, :3, :3]) == pytest.approx(v[:, :9])
    block = np.block([[A[0].real, -A[0].imag], [A[0].imag, A[0].real]])
    assert symmetric(doubled(5) @ v[0]) == pytest.approx(block)


def test_a_solver_out_of_time_says_so(network: Make) -> None:
    relaxation = solve_conic(task_of(network(2, 3, 6), "blp-comp", "exact", 8.0), np.zeros(2), 1e-3)
    assert relaxation is not None
    assert relaxation.status == "MaxTime"
