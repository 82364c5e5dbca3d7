"""Everything that can go wrong in an experiment.

TestbedError
├── ScenarioError (ValueError)    an experiment as written cannot be run; raised before anything is opened
├── RequestError (ValueError)     a command asks for what there is not: frames beyond a recording, a missing folder
├── AbilityError (ValueError)     the radios of the bench cannot do what the experiment asks of them; nothing was sent
├── RfPolicyError (ValueError)    a burst would radiate more than the scenario allows; nothing was sent
├── UnalignedError (RuntimeError) radios that nobody aligned sent what needs alignment; there is no result
└── ReplayError (RuntimeError)    a replay did not give the recorded numbers
"""

from __future__ import annotations

__all__ = [
    "AbilityError",
    "ReplayError",
    "RequestError",
    "RfPolicyError",
    "ScenarioError",
    "TestbedError",
    "UnalignedError",
]


class TestbedError(Exception):
    """The root of all errors of this package."""

    __test__ = False  # pytest takes classes called Test... for tests


class ScenarioError(TestbedError, ValueError):
    """A scenario cannot be run as written; the message names file, key, value, what is allowed and the nearest name."""


class RequestError(TestbedError, ValueError):
    """A command asks for what there is not, such as frames beyond the end of a recording."""


class AbilityError(TestbedError, ValueError):
    """The radios that were opened cannot do what the experiment asks of them; nothing was sent."""


class RfPolicyError(TestbedError, ValueError):
    """A burst would radiate more than the scenario's RF policy allows; it was not sent."""


class ReplayError(TestbedError, RuntimeError):
    """A replay did not give the recorded numbers; the message names the first that differs."""


class UnalignedError(TestbedError, RuntimeError):
    """Radios that nobody aligned sent what means something only if they are aligned; the message says what to use."""
