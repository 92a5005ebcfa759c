"""Pictures of runs. Matplotlib is imported here and nowhere else, when the first one is drawn."""

from meanfield.viewing.distribution import distribution
from meanfield.viewing.overview import overview
from meanfield.viewing.series import series

__all__ = ["distribution", "overview", "series"]
