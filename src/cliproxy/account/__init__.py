"""Accounts: what we hold to reach a provider."""
