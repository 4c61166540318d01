"""Reads what a run has left and says where it comes from; no job of the workflow imports any of it."""
