"""Real samples that ship with graphflow, to try it and to check an installation."""
