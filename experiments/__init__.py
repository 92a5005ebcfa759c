"""Shipped experiments: one TOML file each, with the figure or number it must reproduce."""
