"""The demonstration: a sample network, its processes, and one opt-out driven through them.

A roof of the house, like settings and urls: it knows every app.
"""
