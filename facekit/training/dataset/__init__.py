"""Labeled photos: a folder a person, and the aligned crops that training reads."""
