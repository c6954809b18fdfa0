"""Models trained by other programs, as models of this one: they predict, but can't be trained further here."""
