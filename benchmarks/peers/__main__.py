"""``python -m benchmarks.peers NAME ...``: make the environments of these peers, or of all."""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks import peers


def main() -> int:
    """Make environments; returns 1 if pip could not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Make environments of peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(peers.available())}")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(peers.available()))
    if unknown:
        parser.error(f"no peers {unknown[0]!r}; there are: {', '.join(peers.available())}")
    for name in options.names or peers.available():
        try:
            print(peers.make(name))
        except subprocess.CalledProcessError:
            print(f"pip could not install the peers {name}; its message is above.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
