"""Where everything is wired together: the only package that knows all others."""
