"""What is left of a crash, in texts: backtraces, reports of sanitizers and runtimes, a kernel's last words.

Pure functions of text. Who asks a node for these texts is `pytest_ixy.evidence`; rules read them again.
"""
