"""How dates are written, by language; what is not here is Django's own."""
