"""The sounding as a station hears it by way of its target: its own pilots, and others' however they arrive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from precoding import steering
from testbed.frame import Frame
from testbed.measurement.angle_comp import BistaticEstimate, estimate_departures
from testbed.measurement.arrival import Lock, OnAir, RelativeArrival

__all__ = ["Pilots", "departures", "pilots_of"]

Complex = NDArray[np.complex128]
Pilots = tuple[Complex, Complex, int]


def pilots_of(frame: Frame, received: Complex, sent: Complex, own: int, relative: RelativeArrival | None) -> Pilots:
    """Return received symbols (n_rx, T), all stations' sounding as it arrives (J, n_tx, T), and whose the station is.

    Stations that start apart are heard in a window that has all of every sounding; the own preamble is silent there but
    for the sounding. Others' sync and payload that reach into it are no pilots: they count as noise.

    Args:
        frame: The frame's layout.
        received: Symbols of the whole frame at the own echo's instants, (n_rx, n_symbols).
        sent: Symbols of all stations' antennas, (J, n_tx, n_symbols).
        own: Index m of the station.
        relative: How the others' frames arrive; None where all are aligned.
    """
    if relative is None:
        return received[:, frame.sounding], sent[..., frame.sounding], own
    window = slice(frame.sounding.start - frame.options.gap_symbols, frame.payload.start)
    sounding = np.zeros_like(sent)
    sounding[..., frame.sounding] = sent[..., frame.sounding]
    for n in range(len(sent)):
        if n != own:
            late, apart = float(relative.delay_samples[n]), float(relative.offset_hz[n])
            sounding[n] = OnAir(frame, sounding[n]).seen(Lock(0.0, 0.0), late, apart)
    return received[:, window], sounding[..., window], own


def departures(pilots: Pilots, angle_rad: float, relative: RelativeArrival | None) -> BistaticEstimate:
    """Return angles and gains of all ways by the target; see `estimate_departures`.

    Pilots of stations that start apart are not orthogonal, not even between the antennas of one station where they
    arrive between the receiver's instants. The own echo is the stronger one: it is taken off before the others are
    measured.

    Args:
        pilots: From `pilots_of`.
        angle_rad: Angle of arrival.
        relative: How the others' frames arrive; None where all are aligned.
    """
    first = estimate_departures(*pilots, angle_rad)
    if relative is None:
        return first
    received, sent, own = pilots
    n_rx, n_tx, mine = len(received), sent.shape[1], np.arange(len(sent)) == own
    arrival, departure = steering(n_rx, angle_rad), steering(n_tx, angle_rad)
    left = received - first.amplitudes[own] * np.outer(arrival, departure @ sent[own])
    angles = np.where(mine, angle_rad, estimate_departures(left, sent, own, angle_rad).angles_rad)
    lit = np.sum(steering(n_tx, angles)[..., None] * sent, axis=1)
    energy = np.maximum(np.sum(np.abs(lit) ** 2, axis=1), np.finfo(float).tiny)
    amplitudes = lit.conj() @ (arrival.conj() @ left) / (n_rx * energy)
    return BistaticEstimate(angles, np.where(mine, first.amplitudes, amplitudes), first.noise)
