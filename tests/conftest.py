"""What all tests share: a clean environment, and how many examples hypothesis tries."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# A developer's own settings must not reach the tests; what names test servers may.
for name in [name for name in os.environ if name.startswith("TICKETMAIL_") and not name.startswith("TICKETMAIL_TEST_")]:
    del os.environ[name]

# No deadline: machines that run tests are busy. On CI the same examples each time, so that a red run is about the change.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")
