"""What a run of a TeraVM lab left, and what that means: records, the tester's output, verdicts."""
