"""The queue: live rows under leases, fenced by numbers that only grow (DESIGN §5).

states      the numbers of states, and how the API names them
lanes       the name of a lane
sql/        every statement, by name
store       what a transaction does to queue rows; the caller's connection, the caller's transaction
claimer     one per lane: claims for all parked polls with one statement
delivery    what a claim's answer carries, built after the claim has committed
finishing   the way of a finish through schema, money, run and queue
loose       events without a run: their own transactions and their owner's budget
notify      waking whoever waits, here and in other processes
ports       what the queue needs of runs
"""
