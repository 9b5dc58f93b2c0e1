"""What a call costs this thread, whatever else the machine or the test run is about."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def cpu_s(call: Callable[[], object]) -> float:
    """Seconds of processor time. What earlier tests left in memory is put out of the garbage collector's sight: a look through
    the heap of a whole test run costs more than what is measured."""
    gc.freeze()
    try:
        before_s = time.thread_time()
        call()
        return time.thread_time() - before_s
    finally:
        gc.unfreeze()
