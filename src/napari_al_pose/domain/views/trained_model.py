"""What the dialog *Use a trained model* says."""

from __future__ import annotations

from collections.abc import Mapping

from napari_al_pose.domain.pretrained import PretrainedModel

NO_GUESS = "no guess"
INTRO = (
    "A model that was trained elsewhere gives guesses before your first label and ranks the frames by them. It stays "
    "in use until the first training here, which starts from your labels alone."
)


def download_note(model: PretrainedModel, *, folder: str, is_here: bool) -> str:
    """Return what the user should know before a download."""
    if is_here:
        return f"Downloaded already, to {folder}."
    host = model.url.split("/")[2]
    return (
        f"{model.megabytes} MB from {host}, to {folder}. SHA-256 {model.sha256[:12]}…, checked after the download. "
        "The licence is the publishers' own: read it on the model's page before you use the weights."
    )


def mapping_complaint(chosen: Mapping[str, str]) -> str:
    """Return why a model can't be used with these bodyparts; empty if it can."""
    picked = [theirs for theirs in chosen.values() if theirs]
    if not picked:
        return "Choose at least one bodypart of the model."
    twice = sorted({theirs for theirs in picked if picked.count(theirs) > 1})
    return f"Chosen for more than one bodypart: {', '.join(twice)}." if twice else ""


def mapping_sentence(network: str, n_known: int, chosen: Mapping[str, str]) -> str:
    """Return how many bodyparts get guesses."""
    n = sum(bool(theirs) for theirs in chosen.values())
    return f"{network} knows {n_known} bodyparts. {n} of your {len(chosen)} get guesses; choose others by hand."
