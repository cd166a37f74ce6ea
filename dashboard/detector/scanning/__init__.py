"""Scoring a scene piece by piece, then a look or two at each place, stored as it comes."""
