"""imgpipe on two folders of this machine: no AWS, no network."""
