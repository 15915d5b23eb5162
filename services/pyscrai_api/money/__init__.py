"""No model call without money: prices, reservations, settlements (DESIGN rule 7)."""
