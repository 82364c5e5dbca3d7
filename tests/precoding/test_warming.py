from __future__ import annotations

import subprocess
import sys

import pytest

from precoding import SCHEMES, ArgumentError, warm_up


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_that_is_compiled_is_loaded_ahead_and_not_before(scheme: str) -> None:
    code = (
        "import sys, precoding, precoding.symbollevel\n"
        "before = 'numba' in sys.modules\n"
        f"precoding.warm_up({scheme!r})\n"
        "sys.exit(before or 'numba' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"scheme: 'zf' is unknown"):
        warm_up("zf")
