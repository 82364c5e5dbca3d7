"""What a precoder is designed for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray, complex_array, float_array, whole_number
from precoding.errors import ArgumentError

__all__ = ["Network", "exactly_known", "normalised"]

_SAME_ANGLE_RAD = 1e-9


@dataclass(frozen=True, eq=False, init=False)
class Network:
    """J cells: each one base station (BS), K users and one target.

    Units are the caller's: power and noise in the same unit (W or mW), channels and reflections as amplitude gains.
    The solvers normalise by themselves. All arrays are copied and read-only.

    Attributes:
        channels: Complex (J, J, K, n_tx): [n, m, k] from BS n to user k of cell m; the user receives h^T x.
        arrival_angles: (J,) in rad from broadside: at BS m, of the echo from its target.
        departure_angles: (J, J) in rad: [m, n] from BS n towards the target of BS m; [m, m] is arrival_angles[m].
        reflections: Complex (J, J): [m, n] amplitude of the path BS n, target m, BS m.
        n_rx: Receive antennas of each BS.
        power: (J,) largest transmit power of each BS; a scalar is taken for all.
        user_noise: (J, K) noise power of each user; or a scalar.
        radar_noise: (J,) noise power at each receive antenna of each BS; or a scalar.
        csi_radius: (J, J, K) radius of the ball around channels[n, m, k] that holds the true channel; or a scalar.
        block_length: Symbols per frame, L.
        antenna_power: (J, n_tx) largest transmit power of each antenna, or a scalar; None if only BSs have limits.
        angle_spread: (J,) standard deviation in rad of what is known of each target's angle, or a scalar. Block-level
            designs then maximise the information expected over it, as in the Bayesian bound (Van Trees, Detection,
            Estimation, and Modulation Theory, part I, sec. 2.4), and certificates speak of that.

    """

    channels: ComplexArray
    arrival_angles: FloatArray
    departure_angles: FloatArray
    reflections: ComplexArray
    n_rx: int
    power: FloatArray
    user_noise: FloatArray
    radar_noise: FloatArray
    csi_radius: FloatArray
    block_length: int
    antenna_power: FloatArray | None
    angle_spread: FloatArray

    def __init__(
        self,
        channels: ArrayLike,
        arrival_angles: ArrayLike,
        departure_angles: ArrayLike,
        reflections: ArrayLike,
        n_rx: int,
        power: ArrayLike,
        user_noise: ArrayLike,
        radar_noise: ArrayLike,
        csi_radius: ArrayLike,
        block_length: int,
        antenna_power: ArrayLike | None = None,
        angle_spread: ArrayLike = 0.0,
    ) -> None:
        J, K, n_tx = _sizes(np.shape(channels))
        values = {
            "channels": complex_array("channels", channels, (J, J, K, n_tx)),
            "arrival_angles": float_array("arrival_angles", arrival_angles, (J,)),
            "departure_angles": float_array("departure_angles", departure_angles, (J, J)),
            "reflections": complex_array("reflections", reflections, (J, J)),
            "n_rx": whole_number("n_rx", n_rx, least=2),
            "power": float_array("power", power, (J,), above=0.0),
            "user_noise": float_array("user_noise", user_noise, (J, K), above=0.0),
            "radar_noise": float_array("radar_noise", radar_noise, (J,), above=0.0),
            "csi_radius": float_array("csi_radius", csi_radius, (J, J, K), above=0.0, or_equal=True),
            "block_length": whole_number("block_length", block_length, least=1),
            "angle_spread": float_array("angle_spread", angle_spread, (J,), above=0.0, or_equal=True),
        }
        limit = None if antenna_power is None else float_array("antenna_power", antenna_power, (J, n_tx), above=0.0)
        for name, value in {**values, "antenna_power": limit}.items():
            object.__setattr__(self, name, value)
        self._check_angles()

    @property
    def J(self) -> int:  # noqa: N802
        """Number of cells."""
        return int(self.channels.shape[0])

    @property
    def K(self) -> int:  # noqa: N802
        """Users per cell."""
        return int(self.channels.shape[2])

    @property
    def n_tx(self) -> int:
        """Transmit antennas of each BS."""
        return int(self.channels.shape[3])

    @property
    def possible_angles(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Arrival angles (J,) and departure angles (J, J) that information is averaged over, with equal weights.

        One deviation to each side: the mean of any cubic of a Gaussian angle is exact (Gauss and Hermite, two points).
        """
        if not np.any(self.angle_spread):
            return ((self.arrival_angles, self.departure_angles),)
        pairs = []
        for side in (-1.0, 1.0):
            arrival, departure = self.arrival_angles + side * self.angle_spread, self.departure_angles.copy()
            np.fill_diagonal(departure, arrival)
            pairs.append((arrival, departure))
        return tuple(pairs)

    def _check_angles(self) -> None:
        for name in ("arrival_angles", "departure_angles"):
            largest = max(np.abs(of[name == "departure_angles"]).max() for of in self.possible_angles)
            if largest >= np.pi / 2:
                raise ArgumentError(f"{name}: {largest:g} rad is behind the array; angles are in rad, within +-pi/2")
        apart = np.abs(np.diagonal(self.departure_angles) - self.arrival_angles)
        if apart.max() > _SAME_ANGLE_RAD:
            m = int(apart.argmax())
            raise ArgumentError(
                f"departure_angles[{m}, {m}]: differs by {apart[m]:g} rad from arrival_angles[{m}]; "
                "a BS sends towards its own target and hears it under one angle: set both to the same value"
            )


def normalised(network: Network) -> tuple[Network, float]:
    """Return the same network in units where every noise is 1 and the largest power is 1.

    SINR and Fisher information are those of `network`; weights are to be multiplied by the returned amplitude.
    One common power unit, not one per BS: the CSI ball of a CoMP user stays a ball.

    Returns:
        The network in natural units, and the amplitude unit sqrt(largest power).

    """
    unit = float(network.power.max())
    gain = np.sqrt(unit / network.user_noise)
    return _with(
        network,
        channels=network.channels * gain[None, :, :, None],
        csi_radius=network.csi_radius * gain[None],
        reflections=network.reflections * np.sqrt(unit / network.radar_noise)[:, None],
        power=network.power / unit,
        antenna_power=None if network.antenna_power is None else network.antenna_power / unit,
        user_noise=np.ones_like(network.user_noise),
        radar_noise=np.ones_like(network.radar_noise),
    ), float(np.sqrt(unit))


def exactly_known(network: Network) -> Network:
    """Return the same network with CSI balls of radius 0."""
    return _with(network, csi_radius=np.zeros_like(network.csi_radius))


def _with(network: Network, **changes: FloatArray | ComplexArray | None) -> Network:
    """A network of the same sizes and angles, whose checks need not be made again; finite numbers can overflow."""
    if not all(value is None or np.isfinite(value).all() for value in changes.values()):
        return replace(network, **changes)  # type: ignore[arg-type]  # says what is out of range
    changed = object.__new__(Network)
    for name, value in {**vars(network), **changes}.items():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
        object.__setattr__(changed, name, value)
    return changed


def _sizes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 4 or shape[0] != shape[1] or 0 in shape:
        raise ArgumentError(f"channels: shape {shape}, must be (J, J, K, n_tx), none of them 0")
    if shape[3] < 2:
        raise ArgumentError("channels: n_tx is 1; a precoder needs at least 2 transmit antennas")
    return shape[0], shape[2], shape[3]
