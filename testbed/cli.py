"""The command line. Nothing heavy is imported before a command asks for it: `testbed --help` answers at once."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from testbed.interruption import Interruption

__all__ = ["main"]

COMPLETED, FAILED, WRONG = 0, 1, 2


class _Parser(argparse.ArgumentParser):
    """Complains in one line, and takes no abbreviation for an option."""

    def __init__(self, *, prog: str, description: str | None = None) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the right words are, without the usage that argparse puts before."""
        self.exit(_complain(f"{message}; see {self.prog} --help", WRONG))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: What follows the program's name; those of the process if None.

    Returns:
        0 only if the experiment completed, 1 if it failed or was interrupted, 2 for a wrong command or scenario.

    Raises:
        SystemExit: The arguments cannot be understood (2), or ask for help (0).
    """
    # Small matrices: one BLAS thread is fastest (two on a busy machine are a hundred times slower), and makes results
    # the same to the bit everywhere. It counts only before NumPy is imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    options = _parser().parse_args(arguments)
    try:
        with Interruption(ends_process=arguments is None) as interruption:
            return _call(options, interruption)
    except KeyboardInterrupt:
        return _complain("interrupted; what was recorded is whole", FAILED)
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        return _complain(_in_one_line(error), WRONG if _is_wrong_request(error) else FAILED)


def _call(options: argparse.Namespace, interruption: Interruption) -> int:
    from testbed import commands

    if options.command == "run":
        return commands.run(
            options.scenario,
            options.frames,
            options.seed,
            options.output,
            overwrite=options.overwrite,
            quiet=options.quiet,
            check=interruption.check,
        )
    if options.command == "replay":
        return commands.replay(
            options.file,
            options.frames,
            check_sent=options.tx == "check",
            quiet=options.quiet,
            check=interruption.check,
        )
    if options.command == "info":
        return commands.info(options.what)
    if options.command == "emulate":
        return commands.emulate(
            options.scenario, options.seed, paced=options.paced, faults=options.fault, check=interruption.check
        )
    return commands.scenarios()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="testbed", description="Multi-cell ISAC precoders over the air: run, record, replay.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run an experiment and record it")
    run.add_argument("scenario", metavar="SCENARIO", help="a shipped scenario's name, or a TOML file")
    run.add_argument(
        "--frames", type=_positive, default=100, metavar="N", help="number of frames (100); the first only sounds"
    )
    run.add_argument("--seed", type=_natural, default=1, metavar="S", help="of payload and simulated physics (1)")
    run.add_argument("--output", type=Path, metavar="FILE", help="the recording (runs/<date>_<scenario>.h5)")
    run.add_argument("--overwrite", action="store_true", help="replace an existing output file")
    run.add_argument("--quiet", action="store_true", help="no progress bar and no table")

    replay = commands.add_parser("replay", help="run the same measurement on a recording")
    replay.add_argument("file", type=Path, metavar="FILE", help="a recording")
    replay.add_argument("--frames", type=_slice, default=slice(None), metavar="A:B", help="frames A to B - 1 only")
    replay.add_argument(
        "--tx",
        choices=("check", "ignore"),
        default="check",
        help="refuse (check) or allow (ignore) other samples to send",
    )
    replay.add_argument("--quiet", action="store_true", help="no progress bar and no table")

    emulate = commands.add_parser("emulate", help="serve a scenario's radios as virtual devices on loopback")
    emulate.add_argument("scenario", metavar="SCENARIO", help="a shipped scenario's name, or a TOML file")
    pace = emulate.add_mutually_exclusive_group()
    pace.add_argument("--paced", action="store_true", help="captures take as long as their samples")
    pace.add_argument("--fast", action="store_true", help="captures take no time on the air's clock (the default)")
    emulate.add_argument("--seed", type=_natural, default=1, metavar="S", help="of the physics (1)")
    emulate.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="[RADIO/]KIND[@N|%%PERCENT][,seconds=S]",
        help="what shall go wrong, at the N-th occasion (the first) or at random; may be given again. KIND for a "
        "Pluto: refuse, stall, short-read, late-reply, out-of-range, die, busy, timeout, swapped-ports, phase-jump; "
        "for a USRP: lost-packet, late-command, underflow, stranger, withheld, gone, no-pulses, unlocked",
    )

    info = commands.add_parser("info", help="say what is in a recording or a scenario")
    info.add_argument("what", metavar="FILE|SCENARIO", help="a recording, a shipped scenario's name, or a TOML file")

    scenarios = commands.add_parser("scenarios", help="list the shipped scenarios")
    for command in (run, replay, emulate, info, scenarios):
        command.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
        )
    return parser


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _positive(text: str) -> int:
    value = _natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError("0 is too few, 1 is the least")
    return value


def _slice(text: str) -> slice:
    first, colon, last = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form A:B, for example 10:20")
    return slice(_natural(first) if first else None, _natural(last) if last else None)


def _is_wrong_request(error: Exception) -> bool:
    """Whether nothing was tried because the command, the scenario or the file it names is wrong."""
    from recordings import RecordingExistsError, RecordingFormatError
    from testbed.errors import AbilityError, RequestError, ScenarioError

    wrong = ScenarioError | AbilityError | RequestError
    return isinstance(error, wrong | RecordingExistsError | RecordingFormatError)


def _in_one_line(error: Exception) -> str:
    """Say what happened in one line; errors that are not ours are named, for they are faults of the program."""
    from testbed.commands import OUR_ERRORS

    text = " ".join(str(error).split())
    return text if isinstance(error, OUR_ERRORS) else f"unexpected {type(error).__name__}: {text} (--debug shows where)"


def _complain(text: str, status: int) -> int:
    sys.stderr.write(f"testbed: {text}\n")
    return status
