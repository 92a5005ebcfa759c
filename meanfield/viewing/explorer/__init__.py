"""A run as one HTML page that needs neither a network nor a server: see ``docs/explorer.md``."""

from meanfield.viewing.explorer.view import View, view

__all__ = ["View", "view"]
