"""Block-level precoding: solvers side by side, one certificate."""
