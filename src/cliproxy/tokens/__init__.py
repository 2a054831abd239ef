"""Counting tokens without asking anybody."""
