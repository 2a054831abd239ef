"""What the owner can see of a running proxy."""
