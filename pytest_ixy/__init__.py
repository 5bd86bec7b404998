"""pytest-ixy: does this commit of a network driver really move packets, and if not, which part broke?"""

__version__ = "0.1.0"
