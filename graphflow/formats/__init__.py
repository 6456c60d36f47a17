"""Files in and out: every reader and writer of a model format."""
