"""Herpich & Esposito 2019: driven Potts rings."""
