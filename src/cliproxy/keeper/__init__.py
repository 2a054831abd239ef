"""Accounts while the proxy runs: kept on disk, kept fresh, asked what is left of them."""
