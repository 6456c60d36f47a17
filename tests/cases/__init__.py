"""Test cases as data: problems with generators for their inputs, which several tests run in several ways."""
