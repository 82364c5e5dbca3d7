"""Recordings of earlier days still replay, and still give their numbers."""

from pathlib import Path

import numpy as np
import pytest

from recordings import Recording
from testbed.experiment import replay
from testbed.loop import FrameDone

GOLDEN = sorted((Path(__file__).parents[2] / "recordings" / "golden").glob("*.h5"))
SAME = 1e-9  # another processor's Fourier transforms differ in the last bits, which searches for a maximum may double


def test_there_is_a_golden_recording() -> None:
    assert GOLDEN


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_recording_gives_its_numbers(path: Path) -> None:
    """The replay radios refuse samples other than those recorded, so a change of the waveform fails here by name."""
    frames: list[FrameDone] = []
    replay(path, listeners=[frames.append])
    with Recording.open(path) as recording:
        assert recording.status == "complete"
        assert len(frames) == recording.n_frames
        for done in frames:
            for name, value in done.outcome.as_results().items():
                recorded = recording.results(name)[done.index]
                scale = np.max(np.abs(np.nan_to_num(recorded)), initial=0.0)
                assert np.allclose(value, recorded, rtol=SAME, atol=SAME * scale, equal_nan=True), (done.index, name)
