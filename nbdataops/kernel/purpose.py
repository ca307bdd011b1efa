"""What a fork server forks."""

from __future__ import annotations

from enum import Enum


class Purpose(Enum):
    KERNELS = "kernels"
    COMMANDS = "commands"
