"""Signals the frame listens to."""
