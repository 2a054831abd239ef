"""A week of many conversations, played to the real pool in seconds.

No network and no waiting: the clock is moved from event to event, accounts have true limits that
the pool only learns of by what they answer, and an oracle that knows the truth is the measure.
"""
