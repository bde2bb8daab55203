"""Lies beside `builders`, so that tests in the folders below can import it by that name."""
