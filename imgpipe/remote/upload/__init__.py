"""Upload files into a pipeline's source bucket: choose them, see what is there already, send the rest.

`choose` looks at this machine alone and refuses before the first byte; `run` does the work and tells it as events.
"""
