"""The one path that a job takes, in every place it runs. Start with `process`."""
