"""One pass over a capture, at the speed of memory: all that rules need to know about its frames.

Everything in here imports numpy, so rules import from here inside of their functions.
"""

FEW = 5
"""Of anything that is shown, the first so many."""
