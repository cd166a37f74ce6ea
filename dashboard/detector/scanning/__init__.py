"""Scoring a scene piece by piece, then one look at each place, stored as it comes."""
