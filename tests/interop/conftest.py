"""Make ``onnx_build`` importable, and let hypothesis take the time it needs."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("halfeven", deadline=None)
settings.load_profile("halfeven")
