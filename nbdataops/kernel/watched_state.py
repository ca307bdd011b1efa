"""An `InstalledState` with a watch, so that comparing it with the disk costs next to nothing while nothing happens there.

Whatever the watch reports, and whatever it cannot see, is compared as it would be without it. Where there is none to be
had (no watches left, say) everything is compared each time.
"""

from __future__ import annotations

import contextlib
import os

from nbdataops.kernel.disk_watch import DiskWatch
from nbdataops.kernel.installed_state import InstalledState

SWITCH = "NBDATAOPS_KERNEL_WATCH"
"""Set to `off`: no watch. For a disk that others than this machine write, unknown to it."""
ALARMS = 3
"""So many in a row for nothing: with the next one the watch, which costs more than it spares, is given up."""


class WatchedState:
    """`state`, and whether the disk still is so."""

    def __init__(self, state: InstalledState, watch: bool = True) -> None:
        self._state = state
        self._watch: DiskWatch | None = None
        self._rest = state
        """What the watch does not see."""
        self._alarms = 0 if watch else ALARMS
        with contextlib.suppress(OSError):  # whoever asks will hear of it
            self.difference()
        self._alarms -= watch  # the first look is no alarm

    @classmethod
    def as_set(cls, state: InstalledState) -> WatchedState:
        """With a watch, unless the environment says otherwise."""
        return cls(state, watch=os.environ.get(SWITCH, "").lower() != "off")

    @property
    def is_watched(self) -> bool:
        return self._watch is not None

    def difference(self) -> str | None:
        """What has changed since, in words; None when nothing has. Raises OSError when it cannot be known."""
        if self._watch is not None and self._watch.is_quiet():
            self._alarms = 0
            return self._rest.difference()
        # The watch first: a change between the two is seen by the comparison, or by the next look at the watch.
        self._renew()
        try:
            changed = self._state.difference()
        except OSError:
            self.close()
            raise
        if changed is not None:
            self.close()  # it would be quiet about what has been there before it
        return changed

    def close(self) -> None:
        """Give the watch up; in a forked process, let go of the server's."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _renew(self) -> None:
        self.close()
        if self._alarms == ALARMS:
            return
        self._alarms += 1
        files, folders = dict(self._state.files), dict(self._state.folders)
        try:
            self._watch = DiskWatch(files, folders)
        except (OSError, ValueError):
            return
        self._rest = InstalledState(
            tuple((path, files[path]) for path in self._watch.unseen_files),
            tuple((path, folders[path]) for path in self._watch.unseen_folders),
        )
