"""Makes torch's threads sleep while they wait. Import this before torch: OpenMP reads the settings when it is loaded.

Spinning threads use up cores that the window, the decoder or another program need, and each then waits for the other.
On two cores, one of them busy, two spinning threads train four times slower than one; two trainings at once, each with
two of them, more than twenty times slower.
"""

from __future__ import annotations

import os

# The first is the standard's name, for every OpenMP. The second is GNU's, which spins just long enough between loops.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
