"""What tests of several folders share."""

import pytest

from drivers import VendorLibraryError
from drivers.pluto.vendor import libraries


@pytest.fixture(scope="session")
def real_libiio() -> None:
    """Skip where the real libiio and pyadi-iio are not installed: `make test` installs them where it may."""
    try:
        libraries()
    except VendorLibraryError as error:
        pytest.skip(str(error))
