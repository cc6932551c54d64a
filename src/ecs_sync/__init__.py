"""Keeps configuration in step between one canonical versioned store and the places it lives in."""

__version__ = "0.1.0"
