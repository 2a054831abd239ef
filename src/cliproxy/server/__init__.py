"""The HTTP face: routes, client keys, bodies in, answers out. Plain ASGI, no framework."""
