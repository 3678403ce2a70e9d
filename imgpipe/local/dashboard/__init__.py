"""The page: where a person drops photos and watches what the pipeline makes of them.

`server` is the way in; a browser gets `page/` from it, which asks `/api`, the code that is behind API Gateway too.
"""
