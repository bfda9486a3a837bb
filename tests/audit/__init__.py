"""Answers of the library against small independent references, at parameters drawn at random."""
