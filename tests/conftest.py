"""Settings for every test."""

from hypothesis import settings

# How long an example takes says how busy the machine is; speed is measured in benchmarks.
settings.register_profile("scanner", deadline=None)
settings.load_profile("scanner")
