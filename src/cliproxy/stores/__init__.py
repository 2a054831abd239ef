"""Where accounts and the configuration are kept beyond this machine, and the mirror of it here."""
