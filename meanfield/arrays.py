"""The one array type of the interfaces: NumPy, float64."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
