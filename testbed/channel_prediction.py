"""Where a moving user's channel will be when the next payload is sent, from the soundings so far.

A walker's Doppler band is narrower than the rate of soundings: his channel is a band-limited process, and what the next
sounding will show can be told from those before, to far below the change from one to the next (Kolmogorov and Szego;
Duel-Hallen, Proc. IEEE 95(12), 2007). Each link's antennas share its Doppler spectrum, so a few tens of soundings
suffice to learn a linear predictor for each link. A predictor is judged by what it got wrong so far, never trusted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MEMORY", "ORDER", "predict_channels"]

Complex = NDArray[np.complex128]

ORDER = 8  # soundings that a prediction is made of: a band of half the rate is predicted to -20 dB at 40 dB of SNR
MEMORY = 40  # soundings that the coefficients are learnt from; a walker covers half a metre in 400 ms
LEAST = 2 * ORDER  # soundings from which on there is a prediction
RIDGE = 1e-9  # of the mean energy: a channel that stands still leaves the coefficients free


def predict_channels(history: Complex) -> Complex | None:
    """Predict the channels of the next sounding.

    For each link, coefficients c of h_t = sum_i c_i h_(t-i) are fitted by least squares to all soundings in the
    history and all antennas together.

    Args:
        history: Soundings at equal intervals, the last one last, complex (T, ..., n_tx).

    Returns:
        Complex (..., n_tx); None while there are too few soundings.
    """
    count = len(history)
    if count < LEAST:
        return None
    links = np.moveaxis(history, 0, -1)  # (..., n_tx, T)
    past = np.stack([links[..., ORDER - i - 1 : count - i - 1] for i in range(ORDER)])  # (ORDER, ..., n_tx, T - ORDER)
    rows = np.moveaxis(past, 0, -3).reshape(*history.shape[1:-1], ORDER, -1)
    wanted = links[..., ORDER:].reshape(*history.shape[1:-1], -1)
    gram = rows.conj() @ np.swapaxes(rows, -1, -2)
    level = np.trace(gram, axis1=-2, axis2=-1).real[..., None, None] / ORDER + np.finfo(float).tiny
    answer = rows.conj() @ wanted[..., None]
    coefficients = np.linalg.solve(gram + RIDGE * level * np.eye(ORDER), answer)[..., 0]
    latest = links[..., : -ORDER - 1 : -1]  # the last one first
    return np.asarray(np.einsum("...ni,...i->...n", latest, coefficients))
