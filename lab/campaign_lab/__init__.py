"""A stand-in for an Adobe Campaign Classic v7 server on Linux (see docs/developer/lab.md)."""
