"""Measurements of this machine: printed, never asserted."""
