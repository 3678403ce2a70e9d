"""imgpipe: a serverless image pipeline that runs the same on a folder, on this machine and in AWS."""

__version__ = "0.1.0"
