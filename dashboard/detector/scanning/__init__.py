"""Scoring a scene piece by piece, stored as it comes."""
