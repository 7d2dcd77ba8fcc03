"""Distributions and deployment: built, installed and run as others would do it."""
