"""Needle's training: completion networks, their data, and their export to ONNX."""
