"""Simulated landing sites: terrain, hardware, camera."""
