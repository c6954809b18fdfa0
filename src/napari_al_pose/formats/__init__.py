"""Readers and writers of other programs' files, one module for each format."""
