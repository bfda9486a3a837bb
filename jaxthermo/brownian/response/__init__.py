"""What small disturbances of a stationary state do: correlation functions, spectra, and rates of relaxation."""

from jaxthermo.brownian.response.correlations import Correlation, correlation
from jaxthermo.brownian.response.rates import RelaxationRates, relaxation_rates
from jaxthermo.brownian.response.spectra import Spectrum, spectrum

__all__ = ["Correlation", "RelaxationRates", "Spectrum", "correlation", "relaxation_rates", "spectrum"]
