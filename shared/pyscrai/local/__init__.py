"""A small open-weights model on this machine: its weights, and the server process that all engines of a user share.

    from pyscrai.local.weights import find_weights, install
    from pyscrai.local.connection import Connection

Nothing is imported here: most installations never use it.
"""
