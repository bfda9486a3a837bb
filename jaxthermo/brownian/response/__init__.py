"""What small disturbances of a stationary state do: correlation functions, spectra, and rates of relaxation."""

from jaxthermo.brownian.response.correlations import Correlation as Correlation
from jaxthermo.brownian.response.correlations import correlation as correlation
from jaxthermo.brownian.response.rates import RelaxationRates as RelaxationRates
from jaxthermo.brownian.response.rates import relaxation_rates as relaxation_rates
from jaxthermo.brownian.response.spectra import Spectrum as Spectrum
from jaxthermo.brownian.response.spectra import spectrum as spectrum
