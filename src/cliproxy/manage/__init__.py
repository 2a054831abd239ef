"""The management API: `/v0/management/*` and the pages beside it, on Starlette."""
