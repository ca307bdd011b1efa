"""Fixtures of the command line."""

from tests.cli.settled import _settled_once, built, kept, settled

__all__ = ["_settled_once", "built", "kept", "settled"]
