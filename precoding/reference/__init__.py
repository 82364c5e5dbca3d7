"""The executable paper: every problem as a plain convex statement, constraint by constraint with its equation number.

    (P1.A), (P1.B)   solve_p1a, solve_p1b    block-level, coordinated beamforming
    (P2.A), (P2.B)   solve_p2a, solve_p2b    block-level, coordinated multipoint
    (P3.A), (P3.B)   solve_p3a, solve_p3b    symbol-level, coordinated beamforming: a bound
    (P4)             solve_p4                symbol-level, coordinated multipoint: a bound
    joint (P1), (P2) joint_block_level       at given gamma, each user with an interference of its own
    joint (P3), (P4) relaxed_symbol_level    the same at symbol level

It is what the fast solvers are tested against, and is meant to be read beside the paper. The statements are in natural
units (`normalised`), all antennas in well-scaled coordinates (`transmitter`); arguments and answers are in the units of
the network. The paper's slips are corrected where they occur, with a word on what was printed. CVXPY takes a
second to import: nothing else in the package imports this folder before it is needed.
"""

from __future__ import annotations

from precoding.reference.blp_cbf import solve_p1a, solve_p1b
from precoding.reference.blp_comp import solve_p2a, solve_p2b
from precoding.reference.joint_block_level import joint_block_level
from precoding.reference.joint_symbol_level import relaxed_symbol_level
from precoding.reference.optimum import BlockLevelOptimum, Goal, SymbolLevelOptimum
from precoding.reference.slp_cbf import solve_p3a, solve_p3b
from precoding.reference.slp_comp import solve_p4

__all__ = [
    "BlockLevelOptimum",
    "Goal",
    "SymbolLevelOptimum",
    "joint_block_level",
    "relaxed_symbol_level",
    "solve_p1a",
    "solve_p1b",
    "solve_p2a",
    "solve_p2b",
    "solve_p3a",
    "solve_p3b",
    "solve_p4",
]
