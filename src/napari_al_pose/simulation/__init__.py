"""The loop with known labels in the annotator's place: what each strategy saves, measured in pairs."""
