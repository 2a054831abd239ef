"""Measures cliproxy against a minimal proxy of the same stack and against no proxy at all.

`make bench` runs it. Everything it talks to is on the loopback interface and started by itself.
"""
