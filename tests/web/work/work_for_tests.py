"""Work for `test_jobs`: its processes import this file, which is no test and needs no pytest."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

from nonneg.web.store import Limits, Opened
from nonneg.web.tasks import Say


@dataclass(frozen=True)
class Endless:
    """Work that never ends."""

    def run(self, say: Say, limits: Limits) -> Opened:
        say.phase("for ever", 0.5)
        while True:
            time.sleep(0.01)


@dataclass(frozen=True)
class Dying:
    """Work that takes its process with it."""

    def run(self, say: Say, limits: Limits) -> Opened:
        say.phase("dying", 0.5)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError
