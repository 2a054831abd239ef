"""The configuration file: what may stand in it, reading it, writing the first one."""
