"""What one frame showed, to a file and back."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from testbed.outcome import ESTIMATORS, Outcome, Sounding

J, K, N_TX = 2, 3, 4


def outcome(*, payload: bool = True, clipped: bool = False, designed: bool = True) -> Outcome:
    """Numbers that are all different, with the odd ones among them; NaN where there was no payload."""
    rng = np.random.default_rng(8)

    def real(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape)

    def complex_(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    def of_payload(*shape: int) -> np.ndarray:
        return real(*shape) if payload else np.full(shape, np.nan)

    sounding = Sounding(
        complex_(J, J, K, N_TX), real(J, J, K), real(J, J, K), real(J, K), real(J, J), complex_(J, J), real(J)
    )
    return Outcome(
        sounding=sounding,
        user_delay_s=real(J, K),
        user_offset_hz=real(J, K),
        sync_quality=real(J, K),
        echo_delay_s=np.array([-0.0, 5e-324]),
        angle_rad=real(J),
        estimator=np.array([2, 0]),
        p_value=of_payload(J),
        fit_p_value=of_payload(J),
        angle_deviation_rad=real(J),
        expected_rmse_rad=of_payload(J),
        predicted_angle_rad=of_payload(J),
        predicted_deviation_rad=of_payload(J),
        echo_faults=np.array([0, 8]),
        user_faults=rng.integers(0, 8, (J, K)),
        rcrb_rad=of_payload(J),
        design_rcrb_rad=of_payload(J),
        array_output_snr=of_payload(J),
        promised_sinr=of_payload(J, K),
        predicted_sinr=of_payload(J, K),
        sinr=of_payload(J, K),
        sinr_low=of_payload(J, K),
        sinr_high=of_payload(J, K),
        channel_drift=real(J, J, K),
        prediction_error=real(J, J, K),
        channel_p_value=of_payload(J, K),
        symbol_errors=rng.integers(0, 100, (J, K)),
        signal=of_payload(J, K),
        intra_cell=of_payload(J, K),
        inter_cell=of_payload(J, K),
        noise=of_payload(J, K),
        margin_quantiles=of_payload(J, K, 11),
        clipped=clipped,
        designed=designed,
        design_gap=2e-4 if payload else np.nan,
    )


def bits(of: Outcome | Sounding) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    values = {item.name: np.asarray(getattr(of, item.name)) for item in fields(of) if item.name != "sounding"}
    return {name: (value.dtype.str, value.shape, value.tobytes()) for name, value in values.items()}


@pytest.mark.parametrize("payload", [True, False])
@pytest.mark.parametrize(("clipped", "designed"), [(False, True), (True, False)])
def test_results_give_back_the_outcome_to_the_bit(payload: bool, clipped: bool, designed: bool) -> None:
    before = outcome(payload=payload, clipped=clipped, designed=designed)
    after = Outcome.from_results(before.as_results())
    assert bits(after) == bits(before)
    assert bits(after.sounding) == bits(before.sounding)
    assert (after.clipped, after.designed) == (clipped, designed)
    assert type(after.clipped) is bool


def test_links_are_results_only_where_stations_start_apart() -> None:
    aligned = outcome()
    links = np.arange(float(J * J * K)).reshape(J, J, K)
    apart = replace(aligned, link_delay_s=links, link_offset_hz=-links)
    assert bits(Outcome.from_results(apart.as_results())) == bits(apart)
    assert set(apart.as_results()) - set(aligned.as_results()) == {"link_delay_s", "link_offset_hz"}
    assert Outcome.from_results(aligned.as_results()).link_delay_s is None


def test_results_are_flat_and_complete() -> None:
    """No name of the outcome hides one of the sounding."""
    names = [item.name for item in (*fields(Outcome), *fields(Sounding)) if item.name != "sounding"]
    assert len(names) == len(set(names))
    assert set(outcome().as_results()) == set(names) - {"link_delay_s", "link_offset_hz"}  # of stations apart only


@pytest.mark.parametrize("name", ["sinr", "csi_radius", "clipped"])
def test_a_missing_result_is_an_error(name: str) -> None:
    results = {key: value for key, value in outcome().as_results().items() if key != name}
    with pytest.raises((LookupError, TypeError), match=name):
        Outcome.from_results(results)


def test_the_order_of_estimators_is_that_of_the_files() -> None:
    """Recordings store the index: a new estimator goes to the end."""
    assert ESTIMATORS[:3] == ("structured-ml", "capon", "joint-ml")
