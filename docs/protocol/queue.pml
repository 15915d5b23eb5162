/* How engines, the sweep, the promoter and people share a run's events: a model for Spin. docs/protocol.md reads it aloud.
 *
 *     spin -a queue.pml && cc -O2 -o pan pan.c && ./pan        every interleaving, from here to the end of the run
 *     spin -DNO_FENCE -a queue.pml && ...                      one rule left out: Spin must find what goes wrong
 *
 * A run has STEPS steps of EVENTS events. One transaction is several steps here, so that others come between; what is
 * `atomic` is one statement on rows that it locks. Time is not counted: a lease may be over at any moment, PATIENCE times.
 * Rules that can be left out: NO_FENCE, OWNER_FENCE, NO_RUN_LOCK, BLIND_SWEEP, BLIND_CLAIM, PAUSE_TAKES_LEASES,
 * COMMIT_WHILE_PAUSED, RESUME_FORGETS, HOLD_WITHOUT_LOCK, COUNTED_HAND_BACK.
 */

#ifndef STEPS
#define STEPS 2
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#ifndef PATIENCE
#define PATIENCE 1
#endif
#define NOBODY 0

/* queue.state; OVER: the row has left the queue, the event has an outcome */
#define OVER   0
#define READY  1
#define LEASED 2
#define HELD   3

/* runs.status */
#define RUNNING   0
#define PAUSED    1
#define COMPLETED 2
#define CANCELLED 3

/* ── what the database holds ── */

byte status = RUNNING;
byte step = 1;                  /* the run's present step */
byte open = EVENTS;             /* how many of its events are not over */
byte story = 0;                 /* steps in the log */
bool locked = false;            /* the lock of the run's row */

byte state[EVENTS];             /* the rows of the present step */
byte number[EVENTS];            /* lease_no */
byte owner[EVENTS];             /* engine_id */
byte lost_by[EVENTS];           /* lost_engine: may still finish, until somebody claims */
byte claims[EVENTS];
byte losses[EVENTS];
byte backs[EVENTS];             /* hand-backs */
byte results[EVENTS];           /* outcomes with a result */
byte closed[EVENTS];            /* leases that a cancel ended */

/* ── what the world does ── */

bool late[EVENTS];              /* the time of the lease is over */
bool forgotten[EVENTS];         /* the engine that has it died, and will not say a word */
byte patience = PATIENCE;       /* how many more times something goes wrong */
byte granted[EVENTS];           /* the number of a lease that nothing but its engine may end: its time is not over */
chan wire = [1] of { byte, byte, byte, byte }; /* a finish that is late on its way: engine, step, event, number */
bool delayed = false;           /* one is, or was */

#define ended (status == COMPLETED || status == CANCELLED)
#define unlock_run() locked = false
hidden byte i;                  /* for loops within one step */

/* claims = failures + losses + hand-backs + leases that ended with their event + the lease it is under */
inline balanced(b)
{
    assert(claims[b] == losses[b] + backs[b] + results[b] + closed[b] + (state[b] == LEASED))
}

/* The rows of a new step. */
inline enqueue()
{
    i = 0;
    do
    :: i < EVENTS ->
        state[i] = READY; number[i] = 0; owner[i] = NOBODY; lost_by[i] = NOBODY;
        claims[i] = 0; losses[i] = 0; backs[i] = 0; results[i] = 0; closed[i] = 0;
        late[i] = false; forgotten[i] = false; granted[i] = 0;
        i++
    :: else -> break
    od;
    i = 0
}

/* A step commits in the transaction after which nothing is open: its results into the log, the next step's events. */
inline commit()
{
    assert(status != PAUSED);                       /* who paused looks at a run that stands still */
    d_step {
        i = 0;
        do
        :: i < EVENTS -> assert(state[i] == OVER && results[i] == 1); i++
        :: else -> break
        od;
        story++;
        assert(story == step);                      /* each step once, in order */
        step++;
        if
        :: step > STEPS -> status = COMPLETED
        :: else -> open = EVENTS; enqueue()
        fi;
        i = 0
    }
}

/* The finish of one event, as it arrives at the service: by engine `who`, of event `e` in step `s`, under number `n`. */
inline finish(who, s, e, n)
{
    atomic {
#ifndef NO_RUN_LOCK
        !locked -> locked = true;
#endif
        counted = open                              /* read with the lock, written at the end */
    };
    atomic {
        if
#if defined(NO_FENCE)
        :: s == step && state[e] != OVER ->
#elif defined(OWNER_FENCE)
        :: s == step && ((state[e] == LEASED && owner[e] == who)
                      || ((state[e] == READY || state[e] == HELD) && lost_by[e] == who)) ->
#else
        :: s == step && number[e] == n && ((state[e] == LEASED && owner[e] == who)
                      || ((state[e] == READY || state[e] == HELD) && lost_by[e] == who)) ->
#endif
            assert(status != CANCELLED);
            assert(granted[e] == 0 || granted[e] == n); /* nobody ends a lease that is another one's */
            losses[e] = losses[e] - (state[e] != LEASED && lost_by[e] != NOBODY);
            state[e] = OVER; owner[e] = NOBODY; lost_by[e] = NOBODY; granted[e] = 0; late[e] = false;
            results[e]++; accepted = true;
            balanced(e)
        :: else ->
            assert(s != step || granted[e] != n);   /* who has time left is never refused */
            accepted = false
        fi
    };
    atomic {
        if
        :: accepted -> open = counted - 1
        :: else
        fi;
        if
#ifdef COMMIT_WHILE_PAUSED
        :: accepted && open == 0 -> commit()
#else
        :: accepted && open == 0 && status == RUNNING -> commit()
#endif
        :: else
        fi;
#ifndef NO_RUN_LOCK
        unlock_run();
#endif
        accepted = false; counted = 0
    }
}

/* An engine gives a lease back, uncounted. */
inline hand_back(who, s, e, n)
{
    atomic {
        !locked;
        if
        :: s == step && number[e] == n && state[e] == LEASED && owner[e] == who ->
            state[e] = (status == RUNNING -> READY : HELD);
            owner[e] = NOBODY; granted[e] = 0;
            backs[e]++;
#ifdef COUNTED_HAND_BACK
            losses[e]++;
#endif
            balanced(e)
        :: else
        fi
    }
}

/* Nobody will say anything of this lease any more. */
inline die(s, e, n)
{
    if
    :: s == step && number[e] == n && state[e] == LEASED -> forgotten[e] = true
    :: else
    fi
}

proctype Engine(byte me)
{
    byte s, e, n, counted;
    bool accepted;

again:
    atomic { s = 0; e = 0; n = 0 };                 /* a new engine, which remembers nothing */
    do
    :: ended -> goto leave
    :: atomic { status == RUNNING && state[0] == READY -> e = 0; s = step } break
#if EVENTS > 1
    :: atomic { status == RUNNING && state[1] == READY -> e = 1; s = step } break
#endif
    od;

    /* The claim looked at the run's status without its lock: a pause may come between, and lets this go on. Rows that
     * changed since are skipped. */
    atomic {
        if
#ifndef BLIND_CLAIM
        :: s != step || state[e] != READY -> goto again
        :: else ->
#else
        :: true ->
#endif
            assert(state[e] == READY);
            state[e] = LEASED; number[e]++; n = number[e]; owner[e] = me; lost_by[e] = NOBODY;
            claims[e]++; granted[e] = n; late[e] = false; forgotten[e] = false;
            balanced(e)
        fi
    }

    /* It works, for as long as it takes: frozen, slow, or dead. */
    do
    :: finish(me, s, e, n);
        if
        :: atomic { patience > 0 -> patience-- }    /* the answer was lost: the same once more */
        :: goto again
        fi
    :: atomic { patience > 0 && !delayed -> patience--; delayed = true; wire!me, s, e, n; die(s, e, n) };
        goto again                                  /* it died after sending; what it sent arrives some time */
    :: atomic { patience > 0 -> patience--; die(s, e, n) };
        goto again                                  /* it died: another one takes its place */
    :: atomic { patience > 0 -> patience-- }; hand_back(me, s, e, n); goto again
    :: atomic { s == step && state[e] == LEASED && owner[e] == me && number[e] == n && late[e] ->
            late[e] = false; granted[e] = n }       /* a heartbeat */
    od;
leave:
    skip
}

/* What was late on its way arrives. */
proctype Wire()
{
    byte who, s, e, n, counted;
    bool accepted;

    do
    :: wire?who, s, e, n ->
        finish(who, s, e, n);
        d_step { who = 0; s = 0; e = 0; n = 0 }
    :: ended && empty(wire) -> break
    od
}

/* Time passes. The lease of an engine that died, or whose word is on its way, ends for certain; others may. */
proctype Clock()
{
    do
    :: atomic { patience > 0 && state[0] == LEASED && !late[0] -> patience--; late[0] = true; granted[0] = 0 }
    :: atomic { state[0] == LEASED && !late[0] && forgotten[0] -> late[0] = true; granted[0] = 0 }
#if EVENTS > 1
    :: atomic { patience > 0 && state[1] == LEASED && !late[1] -> patience--; late[1] = true; granted[1] = 0 }
    :: atomic { state[1] == LEASED && !late[1] && forgotten[1] -> late[1] = true; granted[1] = 0 }
#endif
    :: ended -> break
    od
}

/* Leases that are over go back. It looks without a lock, and once more with it. */
proctype Sweep()
{
    byte e, s;

    do
    :: atomic { state[0] == LEASED && late[0] -> e = 0; s = step };
        goto take
#if EVENTS > 1
    :: atomic { state[1] == LEASED && late[1] -> e = 1; s = step };
        goto take
#endif
    :: ended -> goto leave
take:
        atomic {
            !locked;
            if
#ifndef BLIND_SWEEP
            :: s != step || state[e] != LEASED || !late[e]
            :: else ->
#else
            :: true ->
#endif
                assert(state[e] == LEASED);
                assert(granted[e] == 0);            /* who renewed in time keeps it */
                state[e] = READY; losses[e]++; lost_by[e] = owner[e]; owner[e] = NOBODY; late[e] = false;
                balanced(e)
            fi;
            e = 0; s = 0
        }
    od;
leave:
    skip
}

/* One statement. */
inline hold()
{
    d_step {
        i = 0;
        do
        :: i < EVENTS && state[i] == READY -> state[i] = HELD; i++
        :: i < EVENTS && state[i] != READY -> i++
        :: else -> break
        od;
        i = 0
    }
}

/* Ready events of a run that stands still are held, so that claims do not walk over them. */
proctype Promote()
{
    do
    :: status == PAUSED && (state[0] == READY || state[EVENTS - 1] == READY) ->
#ifndef HOLD_WITHOUT_LOCK
        atomic {
            !locked;
            if
            :: status == PAUSED -> hold()
            :: else
            fi
        }
#else
        hold()                                      /* it only looked */
#endif
    :: ended -> break
    od
}

/* Somebody pauses and resumes, or ends it all. */
proctype Person()
{
    if
    :: skip
    :: atomic { !locked && status == RUNNING -> status = PAUSED;
#ifdef PAUSE_TAKES_LEASES
            d_step {
                i = 0;
                do
                :: i < EVENTS && state[i] == LEASED -> state[i] = HELD; owner[i] = NOBODY; backs[i]++; i++
                :: i < EVENTS && state[i] != LEASED -> i++
                :: else -> break
                od;
                i = 0
            }
#endif
        };
        atomic { !locked -> status = RUNNING;
            d_step {
                i = 0;
                do
                :: i < EVENTS && state[i] == HELD -> state[i] = READY; i++
                :: i < EVENTS && state[i] != HELD -> i++
                :: else -> break
                od;
                i = 0
            }
            if
#ifndef RESUME_FORGETS
            :: open == 0 -> commit()
#endif
            :: else
            fi
        }
    :: atomic { !locked && !ended ->
            i = 0;
            do
            :: i < EVENTS && state[i] != OVER ->
                closed[i] = closed[i] + (state[i] == LEASED);
                state[i] = OVER; number[i]++; owner[i] = NOBODY; lost_by[i] = NOBODY; granted[i] = 0;
                balanced(i);
                i++
            :: i < EVENTS && state[i] == OVER -> i++
            :: else -> break
            od;
            i = 0; open = 0; status = CANCELLED
        }
    fi
}

init
{
    atomic {
        enqueue();
        run Engine(1); run Engine(2);
        run Wire(); run Clock(); run Sweep(); run Promote(); run Person()
    }
    /* Who stands here for ever while nothing else can happen is a run that nobody will ever move again: Spin calls it an
     * invalid end state. */
    ended;
    assert(status == CANCELLED || story == STEPS)
}
