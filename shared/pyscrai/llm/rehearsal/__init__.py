"""A model that needs no key, costs nothing and answers at once, from the scenario's own words."""
