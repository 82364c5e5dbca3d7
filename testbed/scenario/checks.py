"""What no single key can say: checks across a whole scenario, each yielding the keys that are wrong and why."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from testbed.scenario.limits import did_you_mean
from testbed.scenario.site import all_are_in_front, delays_fit_the_gap, nobody_is_too_close

if TYPE_CHECKING:
    from testbed.scenario.radios import Station, User
    from testbed.scenario.scenario import Scenario

__all__ = ["CHECKS"]

Findings = Iterator[tuple[str, str]]


def names_are_unique(scenario: Scenario) -> Findings:
    """Radios, recordings and tables are told apart by name."""
    everyone = (*scenario.radios, *scenario.targets)
    counts = Counter(one.name for one in everyone)
    for one in everyone:
        if counts[one.name] > 1:
            yield (
                f"{one.key}.name",
                f"stands {counts[one.name]} times; every station, user and target needs its own name",
            )


def stations_are_known(scenario: Scenario) -> Findings:
    """Users and targets belong to stations that exist."""
    names = [station.name for station in scenario.stations]
    for one in scenario.members:
        if one.station not in names:
            known = f"stations are {', '.join(names)}"
            yield f"{one.key}.station", "; ".join([f"= {one.station!r}", known, *did_you_mean(one.station, names)])


def cells_are_alike(scenario: Scenario) -> Findings:
    """The theory has J stations with equal arrays, K users each and one target each."""
    if not scenario.stations:
        yield "stations", "is empty; an experiment needs one or more tables [[stations]]"
        return
    first = scenario.stations[0]
    users = Counter(user.station for user in scenario.users)
    targets = Counter(target.station for target in scenario.targets)
    for one in scenario.stations:
        yield from _arrays_are_equal(one, first)
        if users[one.name] != users[first.name] or not users[one.name]:
            counts = ", ".join(f'{users[station.name]} of "{station.name}"' for station in scenario.stations)
            yield "users", f"are {counts}; every station needs the same number, 1 or more"
        if targets[one.name] != 1:
            yield "targets", f'are {targets[one.name]} of "{one.name}"; every station needs exactly one'


def _arrays_are_equal(one: Station, first: Station) -> Findings:
    for key, mine, its in (("n_tx", one.n_tx, first.n_tx), ("n_rx", one.n_rx, first.n_rx)):
        if mine != its:
            yield f"{one.key}.{key}", f'= {mine}, but "{first.name}" has {its}; all stations need the same'


def policy_is_kept(scenario: Scenario) -> Findings:
    """Carrier, gain and power stay inside the RF policy."""
    rf, (low, high) = scenario.rf, scenario.rf.frequency_range_hz
    if low >= high:
        yield "rf.frequency_range_hz", f"= [{low:g}, {high:g}]; the lower frequency must come first"
    if not low <= scenario.carrier_hz <= high:
        yield "carrier_hz", f"= {scenario.carrier_hz:g}; rf.frequency_range_hz allows {low:g} to {high:g} Hz"
    for station in scenario.stations:
        if station.tx_gain_db > rf.max_tx_gain_db:
            limit = f"rf.max_tx_gain_db allows at most {rf.max_tx_gain_db:g} dB"
            yield f"{station.key}.tx_gain_db", f"= {station.tx_gain_db:g}; {limit}"
        # Sounding sends the same power from every port, and no peak lies below the mean.
        ports_db = 10 * math.log10(station.n_tx)
        if station.power_dbm - ports_db > rf.max_output_dbm:
            each = f"{station.power_dbm - ports_db:.1f} dBm at each of {station.n_tx} antenna ports"
            limit = f"rf.max_output_dbm = {rf.max_output_dbm:g} allows {rf.max_output_dbm + ports_db:.1f} dBm in total"
            yield f"{station.key}.power_dbm", f"= {station.power_dbm:g} is {each}; {limit}"


def frame_fits(scenario: Scenario) -> Findings:
    """Sounding can tell all antennas apart, noise can be measured, and a frame ends before the next begins."""
    frame, antennas = scenario.frame, scenario.n_stations * scenario.n_tx
    if frame.sounding_symbols <= antennas:
        need = f"it must be above {antennas}, the transmit antennas of all stations, to leave noise to measure"
        yield "frame.sounding_symbols", f"= {frame.sounding_symbols}; {need}"
    if frame.guard_symbols <= 2 * frame.gap_symbols:
        need = f"it must be above {2 * frame.gap_symbols}, twice frame.gap_symbols, to leave silence to measure"
        yield "frame.guard_symbols", f"= {frame.guard_symbols}; {need}"
    if scenario.frame_duration_s >= frame.period_s:
        length = f"a frame of {frame.n_symbols(scenario.n_stations)} symbols takes {scenario.frame_duration_s:g} s"
        yield "frame.period_s", f"= {frame.period_s:g}; {length}, and the period must be longer"


def offsets_can_be_found(scenario: Scenario) -> Findings:
    """A user's carrier offset against a station is not mistaken for another: the halves of sync tell so much."""
    frame = scenario.frame
    limit_ppm = 1e6 * frame.symbol_rate_hz / frame.sync_symbols / scenario.carrier_hz
    for user in scenario.users:
        for station in scenario.stations:
            own = scenario.impairments_of(user).carrier_offset_ppm or 0.0
            apart = abs(own - (scenario.impairments_of(station).carrier_offset_ppm or 0.0))
            if apart >= limit_ppm:
                remedy = "lower it, raise frame.symbol_rate_hz or shorten frame.sync_symbols"
                found = f"{apart:g} ppm from {station.name}; synchronisation finds less than {limit_ppm:.3g} ppm"
                yield f"{user.key}.impairments.carrier_offset_ppm", f"= {own:g} is {found}: {remedy}"


def powers_are_the_papers(scenario: Scenario) -> Findings:
    """The paper's ratios hold for one power P of all stations."""
    first = scenario.stations[0]
    for station in scenario.stations:
        if scenario.air.model == "normalised" and station.power_dbm != first.power_dbm:
            other = f'"{first.name}" has {first.power_dbm:g}; the normalised model has one power for all'
            yield f"{station.key}.power_dbm", f"= {station.power_dbm:g}, but {other}"


def devices_are_used_once(scenario: Scenario) -> Findings:
    """A device is one radio; the simulated bench and a recording hold many."""
    first: dict[str, Station | User] = {}
    for one in scenario.radios:
        driver, _, place = one.radio.lower().partition(":")
        if driver in ("simulated", "replay"):
            continue
        for device in _devices(driver, place):
            known = f"{driver}:{device}"
            if known in first:
                yield (
                    f"{one.key}.radio",
                    f"= {one.radio!r} is already that of {first[known].key}; a device is one radio only",
                )
            first.setdefault(known, one)


def _devices(driver: str, place: str) -> list[str]:
    """Return the devices that a radio is made of: several Plutos, or several boards in one MultiUSRP."""
    if driver == "usrp":
        return re.findall(r"(?:^|,)(?:addr|serial|name|resource)\d*=([^,]+)", place) or [place]
    return place.split("+") if driver == "pluto" else [place]


def reference_is_whole(scenario: Scenario) -> Findings:
    """A phase calibration holds for a frame only if the oscillators do not drift apart within it."""
    reference = scenario.reference
    if reference.phase_calibration == "per-frame" and not reference.external:
        yield (
            "reference.phase_calibration",
            '= "per-frame", but reference.external is false; oscillators of their own drift apart within a frame: '
            "feed all radios one reference and say reference.external = true",
        )


# In this order: each may rely on those before it having found nothing.
CHECKS: tuple[Callable[[Scenario], Findings], ...] = (
    names_are_unique,
    stations_are_known,
    cells_are_alike,
    all_are_in_front,
    policy_is_kept,
    frame_fits,
    nobody_is_too_close,
    delays_fit_the_gap,
    devices_are_used_once,
    reference_is_whole,
    powers_are_the_papers,
    offsets_can_be_found,
)
