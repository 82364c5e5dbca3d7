"""Sample rates of an AD936x: the chain of clocks behind them, and the filter that may halve or quarter them."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.virtual.pluto.rules import RefusedError, integer

__all__ = ["Clocks", "Filter", "clocks", "lowest_rate_hz"]

# UG-570: the baseband synthesiser runs from 715 to 1430 MHz on a fractional divider of the 40 MHz crystal.
HIGHEST_BBPLL_HZ, BBPLL_STEP_HZ = 1430e6, 40e6 / 2088960
LOWEST_ADC_HZ, HIGHEST_ADC_HZ = 25e6, 640e6
HIGHEST_RATE_HZ = 61_440_000
# Half-band decimation before the filter, in the order in which the driver prefers it, as (R2, R1, RF) divisors.
HALF_BANDS = {8: (2, 2, 2), 12: (3, 2, 2), 6: (3, 2, 1), 4: (1, 2, 2), 3: (3, 1, 1), 2: (1, 1, 2), 1: (1, 1, 1)}
MOST_TAPS = 128


@dataclass(frozen=True)
class Filter:
    """A loaded FIR filter; no taps is none.

    Attributes:
        rx_taps: Number of receive taps.
        rx_decimation: Its decimation: 1, 2 or 4.
        tx_taps: Number of transmit taps.
        tx_interpolation: Its interpolation.
    """

    rx_taps: int = 0
    rx_decimation: int = 0
    tx_taps: int = 0
    tx_interpolation: int = 0

    def __str__(self) -> str:
        return f"FIR Rx: {self.rx_taps},{self.rx_decimation} Tx: {self.tx_taps},{self.tx_interpolation}"

    @staticmethod
    def parse(text: str) -> Filter:
        """Return the filter in a configuration file's text.

        Raises:
            RefusedError: It is none, has too many taps, or a number of taps that is no multiple of 16.
        """
        decimation, interpolation, taps = 0, 0, 0
        for line in text.replace("\0", "").splitlines():
            words = line.split()
            if not words or line.startswith("#") or words[0] in ("RTX", "RRX", "BWTX", "BWRX"):
                continue
            if words[0] == "RX" and len(words) == 6 and words[4] == "DEC":
                decimation = integer(words[5])
            elif words[0] == "TX" and len(words) == 6 and words[4] == "INT":
                interpolation = integer(words[5])
            else:
                pair = [integer(one) for one in line.split(",")]
                if len(pair) != 2 or max(map(abs, pair)) > 32768:
                    raise RefusedError
                taps += 1
        if decimation not in (1, 2, 4) or interpolation not in (1, 2, 4) or not 0 < taps <= MOST_TAPS or taps % 16:
            raise RefusedError
        return Filter(taps, decimation, taps, interpolation)


@dataclass(frozen=True)
class Clocks:
    """Clock rates from the synthesiser down to the samples, as the attributes name them."""

    rx_path: str
    tx_path: str
    rate_hz: int


def lowest_rate_hz(fir: Filter | None) -> int:
    """Return the lowest sample rate with a filter, or without."""
    return int(LOWEST_ADC_HZ / 12 / (fir.rx_decimation if fir else 1))


def clocks(wish_hz: int, fir: Filter | None) -> Clocks:
    """Return the clocks nearest to a wished sample rate.

    Args:
        wish_hz: Sample rate.
        fir: The filter that is enabled, or None.

    Raises:
        RefusedError: The rate is out of range, or leaves no time for the filter's taps.
    """
    if not lowest_rate_hz(fir) <= wish_hz <= HIGHEST_RATE_HZ:
        raise RefusedError
    decimation, interpolation = (fir.rx_decimation, fir.tx_interpolation) if fir else (1, 1)
    wanted = (half for half in HALF_BANDS if LOWEST_ADC_HZ - 12 <= wish_hz * decimation * half <= HIGHEST_ADC_HZ)
    half = next(wanted, None)
    if half is None:
        raise RefusedError
    adc_hz = float(wish_hz * decimation * half)
    divider = 1
    while adc_hz * divider * 2 <= HIGHEST_BBPLL_HZ:
        divider *= 2
    bbpll_hz = round(adc_hz * divider / BBPLL_STEP_HZ) * BBPLL_STEP_HZ
    adc_hz = bbpll_hz / divider
    r2, r1, _ = HALF_BANDS[half]
    rate_hz = adc_hz / half / decimation
    rx = (bbpll_hz, adc_hz, adc_hz / r2, adc_hz / r2 / r1, adc_hz / half, rate_hz)
    # The transmit chain runs at half the converter's clock where it can, and mirrors the receive chain.
    dac_hz = max(adc_hz / 2, rate_hz * interpolation)
    tf_hz = rate_hz * interpolation
    t1_hz = min(2 * tf_hz, dac_hz)
    tx = (bbpll_hz, dac_hz, min(2 * t1_hz, dac_hz), t1_hz, tf_hz, rate_hz)
    if fir and fir.tx_taps > 16 * max(1, int(dac_hz / rate_hz + 1e-6)):
        raise RefusedError
    return Clocks(
        _named(("BBPLL", "ADC", "R2", "R1", "RF", "RXSAMP"), rx),
        _named(("BBPLL", "DAC", "T2", "T1", "TF", "TXSAMP"), tx),
        round(rate_hz),
    )


def _named(names: tuple[str, ...], values: tuple[float, ...]) -> str:
    return " ".join(f"{name}:{round(value)}" for name, value in zip(names, values, strict=True))
