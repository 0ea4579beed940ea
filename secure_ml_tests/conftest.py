"""What holds for every test: libraries report to nobody. They read their switches at import, so it comes first."""

import os

from secure_ml.guard.telemetry import silence

silence(os.environ)
