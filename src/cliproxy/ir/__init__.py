"""The neutral representation every dialect parses into and renders from.

A request is an `IRRequest` (request.py); an answer is a stream of events (events.py) and nothing
else: a finished answer is the fold of that stream (fold.py). Nothing here knows a wire format,
a provider or a socket.
"""
