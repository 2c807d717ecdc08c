"""The command line: one file a command group, each parse → call → print."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line with the arguments of this process."""
    from nonneg.cli.app import run

    run()
