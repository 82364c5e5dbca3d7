"""The controller: scenario, bench, loop, measurement, recording, report and command line."""
