"""Labeled photos in one folder per person, and the aligned crops that training reads."""
