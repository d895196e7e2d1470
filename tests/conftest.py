"""What all tests share: figures are drawn without a display, and no test fails because a machine is slow."""

import matplotlib as mpl
from hypothesis import HealthCheck, settings

mpl.use("Agg")
settings.register_profile("whatever the machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whatever the machine")
