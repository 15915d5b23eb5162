"""The embedded PostgreSQL, and the processes that `up` and `run` start around it.

    from pyscrai.embedded.database import embedded_database
    from pyscrai.embedded.processes import ChildSpec, Processes
    from pyscrai.embedded.stack import stack

Nothing is imported here, because `pyscrai --help` should not pay for it.
"""
