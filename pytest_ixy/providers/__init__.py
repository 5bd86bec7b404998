"""Providers make a topology real; each is a module or package of its own."""
