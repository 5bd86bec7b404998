"""The gate: do the results in JUnit reports meet a policy? Pure functions of files and a clock's time."""
