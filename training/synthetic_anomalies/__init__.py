"""Synthetic anomalies and distractors, pasted into ground at random: what is learned from.

They teach the judge of places (`networks/places.py`) without one human label. None is a portrait:
the kinds that a model is judged by are drawn in `hardware.py` and share no drawing with these.
Lengths are pixels, since a judge must not depend on a scene's scale; brightness is in units of the
window's own roughness, so that contrast runs from blinding down to the noise.
"""
