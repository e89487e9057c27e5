"""The benchmarks: each hot path of the service beside its floor and its peer, in one run.

    rows        what is printed: a figure, what it is measured beside, the goal
    stats       samples, and taking them side by side
    reference   the official SDK, where it is installed
    frames      inbound frames, as the exchange writes them; `shots`: those of a dislocation
    rig         the service itself in this process, and jobs on its own threads
    signed, inbound, durable, wired, scaling, process   the rows, by subject
    load, soak  processes of their own: steady messages; a million of them and ten thousand orders
    facts       the machine a result was taken on
    command     `hip3.py bench`

Nothing of the service is rebuilt here: what is timed is what `hip3.service.app` wires.
"""
