"""One request from parsed wire to rendered wire: parse, route, build, send, read, write."""
