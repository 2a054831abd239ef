"""One local endpoint over every AI account you have, in whichever API dialect your tool speaks."""

__version__ = "0.1.0"
