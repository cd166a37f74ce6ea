"""Evaluation of models on scenes whose truth is known: objects found, and the cost of reviewing."""
