"""Generalization of process reward models in test-time scaling, as a reproducible pipeline."""
