"""People at seats: what they are asked, what they say, seats that change hands."""
