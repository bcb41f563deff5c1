"""Adverts and the set of known relays; path rules and guards."""
