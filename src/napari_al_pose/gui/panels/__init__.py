"""The sections of the dock. Each shows what `napari_al_pose.domain.views` computes and calls the session."""
