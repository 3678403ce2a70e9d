"""One deployed stack seen from outside."""
