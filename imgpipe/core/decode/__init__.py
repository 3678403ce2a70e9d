"""One reader a format: from a container to its header, and to pixels when asked for. `codec` is their door."""
