"""Torch's threads wait asleep, not spinning. Imported before torch: the libraries read this only when they are loaded.

Spinning threads burn the cores that the window, the decoder or another program need, and each then waits for the
other: on two cores with one of them busy elsewhere, two spinning threads train four times slower than one.
"""

from __future__ import annotations

import os

# The standard's name, for every OpenMP; and GNU's own, which spins just long enough for back-to-back loops.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
