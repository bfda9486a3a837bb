"""Schedules of temperature and field, and the cycles made of them."""

from jaxthermo.protocols.stirling import StirlingCycle as StirlingCycle
