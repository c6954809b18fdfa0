"""The answering side of `benchmarks.peers.Peer`; runs in a peer's environment and needs nothing but Python."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any


def serve(answers: Mapping[str, Callable[..., Any]]) -> None:
    """Answer questions from standard input, one JSON line each, until it ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peer prints must not get between the answers
    for line in sys.stdin:
        question = json.loads(line)
        name = question.pop("question")
        try:
            answer = {"answer": None if name == "hello" else answers[name](**question)}
        except Exception as error:  # noqa: BLE001  whatever a peer raises is its answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=out, flush=True)
