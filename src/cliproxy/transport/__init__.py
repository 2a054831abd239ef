"""How bytes reach an upstream and come back. Knows HTTP and proxies, nothing of LLMs."""
