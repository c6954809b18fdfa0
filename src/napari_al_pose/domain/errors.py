"""The one error that is meant for the user."""

from __future__ import annotations


class AlPoseError(Exception):
    """Something that the user can fix: bad input, a missing file, a read-only folder.

    The window shows it in one place; the command line prints it and exits with code 2. Any other exception is a fault
    of ours.

    Parameters
    ----------
    message : str
        What is wrong, naming the file: "Expected X, got Y."
    hint : str, optional
        What to do about it: "Do Z."
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def no_permission(error: PermissionError) -> AlPoseError:
    """Return what the user is told of a file or folder that belongs to somebody else."""
    return AlPoseError(
        f"You have no permission to use {error.filename or error}.",
        "Ask its owner for it, or copy what you need to a folder of your own.",
    )
