"""Models of other programs, used as models of this one: they predict, but can't be trained further here."""
