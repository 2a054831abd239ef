"""From a model's name to the accounts that can serve it, in the order they are tried."""
