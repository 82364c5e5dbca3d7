from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import ArgumentError, Network, worst_case_sinr
from precoding.network import normalised

Make = Callable[..., Network]


def test_scalars_are_repeated_and_arrays_are_read_only(network: Make) -> None:
    net = network()
    assert (net.J, net.K, net.n_tx) == (2, 3, 6)
    assert net.power.shape == (2,) and net.user_noise.shape == (2, 3) and net.csi_radius.shape == (2, 2, 3)
    with pytest.raises(ValueError, match="read-only"):
        net.channels[0, 0, 0, 0] = 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channels", np.ones((2, 1, 3, 6))),
        ("channels", np.full((2, 2, 3, 6), np.nan)),
        ("arrival_angles", [0.1]),
        ("arrival_angles", [10.0, 10.0]),
        ("departure_angles", np.zeros((2, 2))),
        ("reflections", np.ones(2)),
        ("n_rx", 1),
        ("n_rx", 2.5),
        ("power", 0.0),
        ("user_noise", [1.0, 2.0]),
        ("radar_noise", -1.0),
        ("csi_radius", -1e-3),
        ("block_length", 0),
    ],
)
def test_a_bad_field_is_refused_by_name(network: Make, field: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=rf"^{field}"):
        replace(network(), **{field: value})  # type: ignore[arg-type]


def test_natural_units_keep_the_worst_case_sinr(network: Make) -> None:
    net = replace(network(), power=np.array([2.0, 0.5]))
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(2, 6, 6)) + 1j * rng.normal(size=(2, 6, 6))
    unit, amplitude = normalised(net)
    assert unit.power.max() == 1.0
    # Equal up to the rounding of the trust-region search.
    assert np.allclose(worst_case_sinr(net, weights), worst_case_sinr(unit, weights / amplitude), rtol=1e-9)


def test_import_leaves_cvxpy_alone() -> None:
    code = "import sys, precoding; sys.exit('cvxpy' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
