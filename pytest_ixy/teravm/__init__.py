"""The TeraVM lab: everything that is done to AGW, FEGs and the tester, over SSH."""
