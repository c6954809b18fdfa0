"""One module a strategy; `pyproject.toml` names their classes as entry points."""
