"""The runtime of an engine: register, claim, renew, ask a model, finish, drain. It holds no state that matters."""
